"""95 % intervals over tasks, and how figures are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fewstep.records import measures
from fewstep.records.statistics.student import quantile95


if TYPE_CHECKING:
    from torch import Tensor


Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


def mean_ci95(values: Tensor) -> tuple[float, float]:
    """Mean over tasks and the half-width of its 95 % interval, 1.96 std / sqrt(tasks).

    `values` [tasks]; the population standard deviation, as in the field's tables. One task has no
    spread: its half-width is not a number.
    """
    values = values.double()
    if len(values) < 2:
        return float(values.mean()), float("nan")
    half_width = Z95 * values.std(correction=0) / len(values) ** 0.5
    return float(values.mean()), float(half_width)


FEW = 100
"""Tasks below which the field's formula is too narrow to be read as it is."""


def widened(tasks: int) -> float:
    """By how much the half-width above is to grow so that it covers 95 % with few tasks: by
    Student's quantile and the sample's deviation. With six tasks it covers 86.5 % as it is."""
    if not 1 < tasks < FEW:
        return 1.0
    return quantile95(tasks - 1) / Z95 * math.sqrt(tasks / (tasks - 1))


def wilson(right: int, of: int) -> tuple[float, float]:
    """The ends of Wilson's 95 % interval for a proportion (Wilson 1927): between 0 and 1, and
    honest where all or none are right."""
    share, z2 = right / of, Z95**2 / of
    middle = (share + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * share * (1 - share) + z2**2 / 4) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def exact_upper(right: float, of: float) -> float:
    """The upper end of the exact 95 % interval for a proportion (Clopper and Pearson 1934), below
    which it lies in at least 39 of 40 cases, near 1 too; the numbers need not be whole."""
    from scipy.special import betaincinv  # not scipy.stats, whose import takes a second

    return float(betaincinv(right + 1, of - right, 0.975)) if right < of else 1.0


def finite(*values: float | None) -> bool:
    """Whether none of the values is missing, infinite or not a number, as after a divergence."""
    return all(value is not None and math.isfinite(value) for value in values)


def show(figures: Mapping[str, Any]) -> str:
    """`95.39 ± 0.09 %`, a loss where there is no accuracy, or that the run diverged; of a single
    task, which has no spread, the figure alone."""
    metric, alone = measures.metric_of(figures), figures.get("tasks") == 1
    mean, half = figures[metric], 0.0 if alone else figures[f"{metric}_ci95"]
    if not finite(mean, half):
        return "diverged"
    if metric == "loss":
        return f"{mean:.4g}" if alone else f"{mean:.4g} ± {half:.2g}"
    text = f"{100 * mean:.2f}" if alone else f"{100 * mean:.2f} ± {100 * half:.2f}"
    return f"{text} %" if finite(figures.get("loss", 0.0)) else f"{text} % (diverged)"
