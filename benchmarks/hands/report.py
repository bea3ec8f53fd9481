"""Figures of a comparison, as a file and as a table of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import fewstep
from fewstep.records.identity import git_commit
from fewstep.records.results import write_json
from fewstep.records.statistics.intervals import mean_ci95
from fewstep.run.testing.results import device_name
from hands.tasks import Method, Task, shares


RESULTS = Path(__file__).parents[1] / "results"


def rows(shares: Mapping[str, Tensor], ways: int, shots: int) -> list[dict[str, Any]]:
    """Each method's accuracy over the tasks, and its difference from the best's on the same."""
    best = max(shares, key=lambda name: float(shares[name].mean()))
    found = []
    for name, values in shares.items():
        mean, half = mean_ci95(values)
        row: dict[str, Any] = {"ways": ways, "shots": shots, "method": name}
        row |= {"acc": mean, "acc_ci95": half}
        if name != best:
            row["less"], row["less_ci95"] = mean_ci95(values - shares[best])
        found.append(row)
    return found


def compared(
    methods: Mapping[str, Method],
    drawn: Callable[..., Iterable[Task]],
    settings: Sequence[tuple[int, int]],
) -> list[dict[str, Any]]:
    """The rows of every setting, `(ways, shots)`, all methods on the same tasks; printed as they
    come."""
    found: list[dict[str, Any]] = []
    for ways, shots in settings:
        some = list(drawn(ways=ways, shots=shots))
        found += rows(shares(methods, some), ways, shots)
        print(table({"rows": found[-len(methods) :]}), flush=True)
    return found


def write(part: str, command: str, about: Mapping[str, Any], found: Sequence[Any]) -> Path:
    """`hands_PART.json`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"hands_{part}.json"
    circumstances = {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "versions": {"fewstep": fewstep.__version__, "torch": str(torch.__version__)},
        "device": device_name(torch.device("cpu")),
    }
    write_json(file, {**circumstances, **about, "rows": list(found)})
    return file


def table(figures: Mapping[str, Any]) -> str:
    """A row a method, a column a setting: the accuracy, and by how much it is below the best."""
    settings = list(dict.fromkeys((r["ways"], r["shots"]) for r in figures["rows"]))
    by = {(r["method"], r["ways"], r["shots"]): r for r in figures["rows"]}
    methods = list(dict.fromkeys(r["method"] for r in figures["rows"]))
    head = ["", *(f"{ways}-way {shots}-shot" for ways, shots in settings)]
    lines = [head, ["---", *("--:" for _ in settings)]]
    lines += [[m, *(_cell(by[(m, *setting)]) for setting in settings)] for m in methods]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: Mapping[str, Any]) -> str:
    share = f"{100 * row['acc']:.1f} ± {100 * row['acc_ci95']:.1f}"
    if "less" not in row:
        return f"**{share}**"
    less = round(100 * row["less"], 1) + 0.0  # no -0.0
    return f"{share} ({less:.1f} ± {100 * row['less_ci95']:.1f})"
