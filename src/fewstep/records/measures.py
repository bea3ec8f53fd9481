"""What is measured, in words and with its unit."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from typing import Any


MEASURES = {
    "acc": "accuracy, %",
    "loss": "loss",
    "far_acc": "accuracy in long contexts, %",
    "needle_mass": "attention on the needle",
    "server_own": "server on own classes, %",
    "server_others": "server on others' classes, %",
    "cka": "CKA",
    "velocity_rmse": "velocity error, m/s",
}
"""The metrics of objectives; a share is in percent."""

UNITS = {"sine": "mean squared error"}
"""The loss of datasets whose results are older than the unit that they now bring."""


APART = 100
"""Ratio of figures from which on they have no number of decimals in common."""
SHORT, LONG = 1e-4, 1e5
"""Between these no figure is written with a power of ten."""


def metric_of(figures: Container[str]) -> str:
    """What figures are led by: `acc`, or `loss` where nothing is counted right or wrong."""
    return "acc" if "acc" in figures else "loss"


def unit(metric: str, content: Mapping[str, Any]) -> str:
    """What the axis of a metric says, by what a results.json says of its loss."""
    if metric == "acc":
        return measured(metric)
    return content.get("unit") or UNITS.get(content.get("dataset", ""), MEASURES["loss"])


def measured(metric: str) -> str:
    """A metric in words; one that has none by its name."""
    return MEASURES.get(metric, metric.replace("_", " "))


def inside(end: float, mean: float, metric: str) -> float:
    """An end of an interval around a mean, inside of what the metric can be as it is shown: from 0
    to 100 for an accuracy, and not below 0 for a loss, unless it is one that has come there."""
    low = 0.0 if metric == "acc" or mean >= 0 else -math.inf
    return min(max(end, low), 100.0 if metric == "acc" else math.inf)


def told(values: Sequence[float], metric: str) -> list[str]:
    """Figures that stand below each other, with as many decimals as each other: one of an
    accuracy, else those by which the smallest has three digits. Where they lie too far apart for
    that, each has three digits."""
    if metric == "acc":
        return [f"{value:.1f}" for value in values]
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    low, high = min(sizes, default=1.0), max(sizes, default=1.0)
    if high > APART * low or not SHORT <= low <= high < LONG:
        return [f"{value:#.3g}".removesuffix(".") for value in values]
    decimals = max(0, 2 - math.floor(math.log10(float(f"{low:.2e}"))))
    return [f"{value:.{decimals}f}" for value in values]


def copies(shift: int) -> int:
    """Of a test picture, itself among them, that is shifted by up to so many pixels."""
    return (2 * shift + 1) ** 2


def scale(metric: str) -> int:
    """What a figure of it is multiplied by to be shown: shares are shown in percent."""
    return 100 if measured(metric).endswith("%") else 1
