"""How much one training is better than another, with an interval that pairs what can be paired.

All curves of a figure meet the same test tasks, so their differences are far better known than
each of them is.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.report.intervals import Z95, by_seed, over_seeds
from fewstep.report.table import Entry


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of accuracies, in points, with the wider of its 95 % intervals."""

    mean: float
    half_width: float
    basis: str
    """What the interval is over."""

    @property
    def above(self) -> bool:
        """Whether it is above zero beyond its interval."""
        return self.mean - self.half_width > 0

    @property
    def below(self) -> bool:
        """Whether it is below zero beyond its interval."""
        return self.mean + self.half_width < 0


def contrast(weights: Mapping[str, float], curves: Mapping[str, Sequence[Entry]]) -> Contrast:
    """`sum of weight x accuracy` over curves; {"a": 1, "b": -1} is how far a is above b.

    The interval over tasks is that of the per-task sums where all curves met the same tasks and
    their per-task files are there, and else that of independent figures; over seeds, that of the
    sums of each seed that all curves have.
    """
    means = {name: statistics.fmean(by_seed(curves[name], "acc").values()) for name in weights}
    mean = 100 * sum(weight * means[name] for name, weight in weights.items())
    half_width, basis = _over_tasks(weights, curves)
    seeds = over_seeds(_sums({name: by_seed(curves[name], "acc") for name in weights}, weights))
    if seeds is not None and 100 * seeds > half_width:
        half_width, basis = 100 * seeds, "seeds, paired"
    return Contrast(mean, half_width, basis)


def _sums(values: Mapping[str, Mapping[Any, float]], weights: Mapping[str, float]) -> list[float]:
    """The weighted sum at each key (a seed, a task) that all of the values have."""
    shared = set.intersection(*(set(found) for found in values.values()))
    return [sum(w * values[name][key] for name, w in weights.items()) for key in sorted(shared)]


def _over_tasks(
    weights: Mapping[str, float], curves: Mapping[str, Sequence[Entry]]
) -> tuple[float, str]:
    episodes = {entry.get("episodes_sha256") for name in weights for entry in curves[name]}
    if len(episodes) == 1 and None not in episodes:
        per_task = {name: _per_task(curves[name]) for name in weights}
        if all(per_task.values()):
            sums = _sums(per_task, weights)
            return 100 * Z95 * statistics.pstdev(sums) / math.sqrt(len(sums)), "tasks, paired"
    squares = (
        (weight * statistics.fmean(entry["acc_ci95"] for entry in curves[name])) ** 2
        for name, weight in weights.items()
    )
    return 100 * math.sqrt(sum(squares)), "tasks, unpaired"


def _per_task(entries: Sequence[Entry]) -> dict[int, float]:
    """The accuracy in each task, averaged over seeds; nothing where a file is missing."""
    found: dict[int, list[float]] = {}
    for entry in entries:
        file = entry["folder"] / entry.get("per_task_file", "")
        if not file.is_file():
            return {}
        try:
            with file.open(newline="") as lines:
                for row in csv.DictReader(lines):
                    found.setdefault(int(row["task"]), []).append(float(row["acc"]))
        except (LookupError, TypeError, ValueError, csv.Error) as error:
            raise ConfigError(
                f"{file}: has no accuracy for each task ({printable(error)}). Remove it, or leave "
                "this run out"
            ) from None
    return {task: statistics.fmean(values) for task, values in found.items()}
