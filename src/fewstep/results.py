"""results.json and the table at the end: what a run found, with all that is needed to check it."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import fewstep
from fewstep.callbacks import Stopwatch
from fewstep.data.images import episodes_sha256
from fewstep.evaluation import PROTOCOLS, Setting, finite, show
from fewstep.execution import CPU_THREADS
from fewstep.files import replacing
from fewstep.identity import config_hash, git_commit, hashed, recipe_hash
from fewstep.types import Split


SCHEMA = 1


def device_name(device: torch.device) -> str:
    """`cpu (AMD EPYC, 2 threads)` or `cuda (NVIDIA H100 80GB HBM3)`."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({_processor()}, {CPU_THREADS} threads)"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def header(config: Mapping[str, Any], command: str) -> dict[str, Any]:
    """What identifies a run, before anything was computed."""
    return {
        "schema": SCHEMA,
        "name": config["name"],
        "label": config["label"],
        "command": command,
        "algorithm": config["algorithm"]["name"],
        "dataset": config["dataset"]["name"],
        "dataset_split": config["dataset"].get("split"),
        "seed": config["seed"],
        "config_hash": config_hash(config),
        "recipe_hash": recipe_hash(config),  # what runs share that differ in their seeds alone
        "versions": {"fewstep": fewstep.__version__, "torch": str(torch.__version__)},
        "git_commit": git_commit(),
        # So that the file alone says what was run.
        "config": {**hashed(config), "point": config["point"]},
    }


def progress(stopwatch: Stopwatch, meta_iterations: int, meta_batch: int) -> dict[str, Any]:
    """How much training there was and how fast; the speed is null where it was too short."""
    speed = stopwatch.tasks_per_second(meta_batch) if stopwatch.meta_iterations else None
    return {
        "meta_iterations": meta_iterations,
        "tasks_seen": meta_iterations * meta_batch,
        "train_seconds": round(stopwatch.seconds, 3),
        "tasks_per_second": speed and round(speed, 2),
    }


def result(
    record: Mapping[str, Any],
    split: Split,
    eval_seed: int,
    init: str,
    checkpoint: str | None,
    folder: Path,
) -> dict[str, Any]:
    """One entry of `results`; its per-task figures go into a CSV file of their own."""
    setting: Setting = record["setting"]
    spec, per_task = setting.spec, record["per_task"]
    tasks = len(per_task["loss"])
    label = f"{split.name}_{init}_{checkpoint or 'none'}_{spec.ways}w{spec.shots}s{spec.queries}q"
    label += f"_{spec.steps}steps_batch{spec.batch_size or 'all'}_{record['protocol']}"
    file = folder / "per_task" / f"{label}.csv"
    _write_per_task(file, per_task)
    figures = {n: v for n, v in record.items() if n not in ("setting", "protocol", "per_task")}
    return {
        "split": split.name,
        "init": init,
        "checkpoint": checkpoint,
        "ways": spec.ways,
        "shots": spec.shots,
        "queries": spec.queries,
        "protocol": record["protocol"],
        "steps": spec.steps,
        "batch_size": spec.batch_size,
        "tasks": tasks,
        "eval_seed": eval_seed,
        **figures,
        "per_task_file": str(file.relative_to(folder)),
        "episodes_sha256": episodes_sha256(split, spec, eval_seed, tasks),
    }


def _write_per_task(file: Path, per_task: Mapping[str, Sequence[float]]) -> None:
    with replacing(file) as aside, aside.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["task", *per_task])
        writer.writerows([i, *row] for i, row in enumerate(zip(*per_task.values(), strict=True)))


def read_per_task(file: Path) -> dict[str, list[float]]:
    """The figures of each task, in the order of the tasks."""
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: [float(row[name]) for row in rows] for name in rows[0] if name != "task"}


def write_json(path: Path, content: Any) -> None:
    """Null for what is not finite, for which JSON has no word."""
    text = json.dumps(_finite_only(content), indent=1, allow_nan=False, default=str)
    with replacing(path) as aside:
        aside.write_text(text + "\n")


def _finite_only(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _finite_only(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite_only(value) for value in content]
    return None if isinstance(content, float) and not finite(content) else content


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """One row an initialization and setting, the protocols side by side, as monospaced text."""
    protocols = [p for p in PROTOCOLS if any(r["protocol"] == p for r in results)]
    # The others are the same in most tables, and then they are left out.
    more = [n for n in ("batch_size", "queries") if len({r[n] for r in results}) > 1]
    rows: dict[tuple, dict[str, str]] = {}
    for r in results:
        setting = f"{r['ways']}-way {r['shots']}-shot"
        others = ["all" if r[n] is None else str(r[n]) for n in more]
        row = (r["init"], r["checkpoint"] or "-", setting, str(r["steps"]), *others)
        row = (*row, str(r["tasks"]))
        rows.setdefault(row, {})[r["protocol"]] = show(r)
    names = {"batch_size": "batch", "queries": "queries"}
    head = ["initialization", "checkpoint", "setting", "steps", *(names[n] for n in more), "tasks"]
    body = [[*row, *(cells.get(p, "") for p in protocols)] for row, cells in rows.items()]
    return _aligned([[*head, *protocols], *body])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])
