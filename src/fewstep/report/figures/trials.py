"""The picture of a search: each parameter against what its trials were judged by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from fewstep.records import words
from fewstep.records.figures import layout
from fewstep.records.figures.lines import CHANCE
from fewstep.records.figures.panel import AXIS
from fewstep.records.figures.style import PALETTE, evenly, logarithmic
from fewstep.report.figures.search import Search


DECADE = 10
"""Ratio of the largest to the smallest value from which on a log axis is taken, where nobody says
on what scale the values were proposed."""

TRIAL: dict[str, Any] = {"color": PALETTE[0], "marker": "o", "ms": 5, "ls": "", "alpha": 0.75}
BEST: dict[str, Any] = {"color": PALETTE[1], "marker": "*", "ms": 14, "ls": "", "mec": "w"}


def fill(axes: Axes, search: Search, key: str, size: tuple[float, float]) -> None:
    """One parameter against the objective, the best trial marked."""
    values = [trial.tried.get(key) for trial in search.trials]
    at = _places(axes, key, values, size[0] - 1.0, search.scales.get(key))
    shown = [(x, t) for x, t in zip(at, search.trials, strict=True) if math.isfinite(t.objective)]
    axes.plot([x for x, _ in shown], [t.objective for _, t in shown], **TRIAL)
    (best,) = [x for x, t in shown if t is search.best]
    axes.plot([best], [search.best.objective], **BEST)
    if search.chance is not None:
        axes.axhline(search.chance, zorder=1.5, **CHANCE)
    said = words.assigned(key, search.best.tried.get(key))
    axes.set_title(layout.wrapped(f"best: {said}", size[0] - 0.7, AXIS), fontsize=AXIS)
    axes.set_xlabel(layout.wrapped(words.named(key), size[0] - 0.7, AXIS), fontsize=AXIS)
    axes.set_ylabel(layout.wrapped(search.unit, size[1] - 0.7, AXIS), fontsize=AXIS)
    _judged(axes, [t.objective for _, t in shown], search.metric)


def _judged(axes: Axes, values: Sequence[float], metric: str) -> None:
    low, high = min(values), max(values)
    if metric == "loss" and low > 0 and high > DECADE * low:
        logarithmic(axes.yaxis, low, high)
    else:
        axes.margins(y=0.08)
        evenly(axes.yaxis)


def _places(
    axes: Axes, key: str, values: Sequence[Any], inches: float, log: bool | None
) -> list[float]:
    """Where the values of a parameter lie: on a scale, that from which they were proposed where it
    is known, or side by side where they are words."""
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        low, high = min(values), max(values)
        if 0 < low < high and (high > DECADE * low if log is None else log):
            logarithmic(axes.xaxis, low, high)
        else:
            evenly(axes.xaxis, whole=all(isinstance(v, int) for v in values))
        return [float(v) for v in values]
    named = [words.valued(key, v) for v in values]
    names = list(dict.fromkeys(named))
    texts = [layout.wrapped(name, inches / len(names), AXIS - 1) for name in names]
    axes.set_xticks(range(len(names)), texts, fontsize=AXIS - 1)
    axes.set_xlim(-0.5, len(names) - 0.5)
    return [float(names.index(name)) for name in named]
