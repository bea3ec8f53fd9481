"""results.json and the table at the end: what a run found, with all that is needed to check it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import fewstep
from fewstep.adapters.meta_test import Setting
from fewstep.core.types import Split
from fewstep.data.digest import episodes_sha256
from fewstep.execution.base import CPU_THREADS
from fewstep.records import benchmarks
from fewstep.records.identity import config_hash, git_commit, hashed, recipe_hash
from fewstep.records.outcome import SCHEMA
from fewstep.records.results import write_per_task
from fewstep.records.words import counted
from fewstep.run.experiment import Experiment
from fewstep.run.learned import ranges
from fewstep.run.observers.peak import Peak
from fewstep.run.observers.stopwatch import Stopwatch
from fewstep.run.testing.by_size import by_size, sizes
from fewstep.run.testing.entrant import Entrant


def device_name(device: torch.device) -> str:
    """`cpu (AMD EPYC, 2 threads)` or `cuda (NVIDIA H100 80GB HBM3)`."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({_processor()}, {counted('{} threads', CPU_THREADS)})"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def header(experiment: Experiment, command: str) -> dict[str, Any]:
    """What identifies a run, before anything was computed."""
    labels, source, config = experiment.labels, experiment.source, experiment.config
    return {
        "schema": SCHEMA,
        "name": labels.name,
        "label": labels.label,
        "command": command,
        "algorithm": experiment.recipe.name,
        "dataset": source.name,
        "dataset_split": source.split,
        "unit": getattr(experiment.objective, "unit", None),  # of the loss
        # Of the test tasks, what their intervals speak of; null where the data do not say.
        "interval": getattr(experiment.splits.get("test"), "interval", None),
        "seed": experiment.seed,
        "config_hash": config_hash(config),
        "recipe_hash": recipe_hash(config),  # what runs share that differ in their seeds alone
        "versions": {"fewstep": fewstep.__version__, "torch": str(torch.__version__)},
        "git_commit": git_commit(),
        # So that the file alone says what was run.
        "config": {**hashed(config), "point": labels.point},
    }


def progress(stopwatch: Stopwatch, experiment: Experiment) -> dict[str, Any]:
    """How much training there was and how fast, in how much memory; null of what was not seen."""
    learner, work = experiment.learner, experiment.work
    speed = stopwatch.tasks_per_second(learner.meta_batch) if stopwatch.meta_iterations else None
    return {
        "meta_iterations": learner.meta_iteration,
        "tasks_seen": learner.tasks_seen,
        "gradients_taken": work.gradients,
        "examples_seen": work.examples,
        "hessian_products": work.hessian_products,
        "train_seconds": round(stopwatch.seconds, 3) or None,
        "tasks_per_second": speed and round(speed, 2),
        "peak_bytes": Peak.of(learner.trainer),
    }


def result(
    record: Mapping[str, Any], split: Split, eval_seed: int, entrant: Entrant
) -> dict[str, Any]:
    """One entry of `results`; its per-task figures go into a CSV file of their own."""
    init, checkpoint, folder = entrant.init, entrant.checkpoint, entrant.folder
    setting: Setting = record["setting"]
    spec, per_task = setting.spec, record["per_task"]
    tasks = len(per_task["loss"])
    label = f"{entrant.label}_{spec.ways}w{spec.shots}s{spec.queries}q"
    label += f"_{spec.steps}steps_batch{spec.batch_size or 'all'}_{record['protocol']}"
    file = folder / "per_task" / f"{label}{'_varied' if spec.varies else ''}.csv"
    own = sizes(split, spec, eval_seed, tasks) if spec.varies else {}
    write_per_task(file, {**per_task, **own})
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
        **({"shift": setting.shift} if setting.shift else {}),
        "tasks": tasks,
        "eval_seed": eval_seed,
        **figures,
        **(by_size(own, per_task) if spec.varies else {}),
        "per_task_file": str(file.relative_to(folder)),
        "episodes_sha256": episodes_sha256(split, spec, eval_seed, tasks),
    }


TAKEN = {"split", "init", "checkpoint", "ways", "shots", "queries", "protocol", "steps", "shift"}
TAKEN |= {"batch_size", "tasks", "eval_seed", "per_task_file", "episodes_sha256", "selected_by"}
TAKEN |= {"setting", "per_task", "curve", "loss_ci95", "acc_ci95"}
"""Names in an entry that no metric may have."""


def environment(experiment: Experiment) -> dict[str, Any]:
    """Where and how it ran, and what the inner rule has learned, as it was tested."""
    learner = experiment.learner
    learned = ranges(learner.tested().params)
    return {
        **({"learned": learned} if learned else {}),
        # Not the learner's own: Lightning leaves it on the CPU when it is done.
        "device": device_name(learner.trainer.strategy.root_device),
        "world_size": learner.trainer.world_size,
        "precision": experiment.machine.precision,
        "execution": learner.execution.name,
    }


def benchmarked(
    name: str | None, results: Sequence[Mapping[str, Any]], folder: Path, training: str
) -> dict[str, Any]:
    """What results.json says of a benchmark, where one was asked for and this is rank zero.

    Args:
        name: of the benchmark, or None.
        training: what the checkpoint was trained on.
    """
    if name is None or not results:
        return {}
    return {"benchmark": {"name": name, "rows": benchmarks.lake(results, folder, training)}}
