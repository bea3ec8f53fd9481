"""How much one training is better than another, with an interval that pairs what can be paired.

All curves of a figure meet the same test tasks, so their differences are far better known than
each of them is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fewstep.records import measures
from fewstep.records.statistics.intervals import Z95
from fewstep.records.statistics.two_parts import Part
from fewstep.records.statistics.two_way import Mean, chance, known, two_way
from fewstep.report.statistics.intervals import by_seed
from fewstep.report.statistics.per_task import by_seed_and_task
from fewstep.report.tables.table import Entry


LEVEL = 0.05
"""The chance that a verdict is wrong where there is no difference."""

Weights = Mapping[str, float]
Curves = Mapping[str, Sequence[Entry]]


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of figures: accuracies in points, losses as they are."""

    mean: float
    half_width: float
    """Of its 95 % interval."""
    p: float
    """Two-sided, against zero; it holds far out too, where many comparisons are judged."""
    basis: str
    """What the interval is over."""
    effect: float | None = None
    """In standard deviations of one difference; None where no per-task figures are there."""

    @property
    def told_apart(self) -> bool:
        """Whether it is told apart from zero, by itself."""
        return abs(self.mean) > self.half_width

    @property
    def above(self) -> bool:
        """Whether it is above zero beyond its interval."""
        return self.told_apart and self.mean > 0

    @property
    def below(self) -> bool:
        """Whether it is below zero beyond its interval."""
        return self.told_apart and self.mean < 0


def contrast(weights: Weights, curves: Curves) -> Contrast:
    """`sum of weight x figure` over curves; {"a": 1, "b": -1} is how far a is above b.

    It is over the seeds that all curves have. Where all met the same tasks, and the per-task
    figures are there, the interval is the two-way one of the sums of each seed in each task. Where
    not, tasks count as independent in each curve, and the spread of the sums by seed is added; that
    of each curve's own seeds where they share none.
    """
    metric = measures.metric_of(next(iter(curves[name] for name in weights))[0])
    found, basis = _paired(weights, curves, metric) or _unpaired(weights, curves, metric)
    scale = measures.scale(metric)
    half_width = scale * found.half_width
    return Contrast(scale * found.mean, half_width, found.p, basis, found.effect)


def _paired(weights: Weights, curves: Curves, metric: str) -> tuple[Mean, str] | None:
    episodes = {entry.get("episodes_sha256") for name in weights for entry in curves[name]}
    if len(episodes) != 1 or None in episodes:
        return None
    tables = {name: by_seed_and_task(curves[name], metric) for name in weights}
    sums = _sums(tables, weights)
    if not sums or len({len(row) for row in sums}) > 1:
        return None
    found = two_way(np.stack(sums))
    return found, f"paired: {_seeds(len(sums))}, {len(sums[0]):,} tasks"


def _unpaired(weights: Weights, curves: Curves, metric: str) -> tuple[Mean, str]:
    """Of independent figures over tasks; over seeds, of the sums of each seed."""
    values = {name: by_seed(curves[name], metric) for name in weights}
    sums = _sums(values, weights)
    tasks = min(entry["tasks"] for name in weights for entry in curves[name])
    half_widths = (
        weight * statistics.fmean(_width(entry, metric) for entry in curves[name])
        for name, weight in weights.items()
    )
    own = tasks / max(tasks - 1, 1)  # of the sample's variance, where the files have the tasks'
    over_tasks = own * sum((half / Z95) ** 2 for half in half_widths)
    part = Part(math.sqrt(over_tasks), max(tasks - 1, 1))
    if len(sums) == 1:
        basis = f"unpaired: one seed, {tasks:,} tasks"
        return known(sums[0], part.deviation, tasks - 1), basis
    if sums:
        mean, seeds = statistics.fmean(sums), _over(sums)
        basis = f"unpaired: {len(sums)} seeds, {tasks:,} tasks"
    else:
        means = {name: statistics.fmean(found.values()) for name, found in values.items()}
        mean = sum(weight * means[name] for name, weight in weights.items())
        seeds = _apart([(weights[name], [*found.values()]) for name, found in values.items()])
        counts = " and ".join(str(len(found)) for found in values.values())
        shown = f"{counts} seeds" if seeds.freedom else "one seed each"
        basis = f"unpaired: {shown}, none shared, {tasks:,} tasks"
    if not seeds.freedom:
        return known(mean, part.deviation, tasks - 1), basis
    total = seeds.deviation**2 + over_tasks
    squares = seeds.deviation**4 / seeds.freedom + over_tasks**2 / part.freedom
    freedom = total**2 / squares if squares else seeds.freedom
    found = known(mean, math.sqrt(total), freedom)
    return replace(found, p=chance(mean, (seeds, part))), basis


def _over(sums: Sequence[float]) -> Part:
    """What the spread of some sums, one a seed, makes of the error of their mean."""
    return Part(math.sqrt(statistics.variance(sums) / len(sums)), len(sums) - 1)


def _apart(curves: Sequence[tuple[float, Sequence[float]]]) -> Part:
    """The same of curves with weights that share no seed (Welch); of one with a single seed nobody
    knows how others would do, and the rest stands for it."""
    several = [(weight, values) for weight, values in curves if len(values) > 1]
    squares = [(w**2 * statistics.variance(v) / len(v), len(v) - 1) for w, v in several]
    total, parts = sum(s for s, _ in squares), sum(s**2 / f for s, f in squares)
    freedom = total**2 / parts if parts else min((f for _, f in squares), default=0)
    return Part(math.sqrt(total), freedom)


def _width(entry: Entry, metric: str) -> float:
    """Half that of the interval over tasks; not a number of a single task, which has none."""
    half = entry.get(f"{metric}_ci95")
    return math.nan if half is None else half


def _sums(values: Mapping[str, Mapping[Any, Any]], weights: Weights) -> list[Any]:
    """The weighted sum of each seed that all of the values have."""
    shared = set.intersection(*(set(found) for found in values.values()))
    return [sum(w * values[name][seed] for name, w in weights.items()) for seed in sorted(shared)]


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"
