"""What the runs of a sweep have measured in each task, and how two arms differ there."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fewstep.records.two_way import Mean, two_way


def by_label(run: dict[str, Any]) -> Any:
    return run["label"]


def figures(
    sweep: Path,
    metric: str,
    shots: int,
    init: str = "trained",
    arm: Callable[[dict[str, Any]], Any] = by_label,
) -> dict[Any, np.ndarray]:
    """The figure of every seed in every task, [seeds, tasks], by what `arm` says of a run."""
    found: dict[Any, dict[int, list[float]]] = {}
    for file in sorted(sweep.glob("*/results.json")):
        run = json.loads(file.read_text())
        for entry in run["results"]:
            if (entry["init"], entry["shots"]) == (init, shots):
                rows = csv.DictReader((file.parent / entry["per_task_file"]).open())
                values = [float(row[metric]) for row in rows]
                found.setdefault(arm(run), {})[run["seed"]] = values
    return {label: np.array([by[s] for s in sorted(by)]) for label, by in found.items()}


def between(mean: Mean) -> tuple[float, float]:
    return mean.mean - mean.half_width, mean.mean + mean.half_width


def below(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether it is below the other beyond the interval of their paired difference."""
    return between(two_way(one - other))[1] < 0
