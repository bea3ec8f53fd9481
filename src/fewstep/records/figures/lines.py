"""Curves with what is known of their uncertainty, painted the same in every picture.

A curve of one training has a band, its 95 % interval over tasks. The band of two or three seeds
goes from the lowest of them to the highest: Student's interval of so few is two to nine standard
deviations wide on each side, leaves the picture and buries the curves. From four on it is that.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from matplotlib.axes import Axes

from fewstep.records.figures.style import NEUTRAL, STYLES, evenly, filled, logarithmic, to_zero
from fewstep.records.measures import inside


FEW = 4
"""Seeds from which on their interval is drawn, and not their range."""

BANDS: dict[str, dict[str, Any]] = {
    "tasks": {"alpha": 0.14, "lw": 0},
    "seeds": {"alpha": 0.24, "lw": 1.1, "ls": "--"},
    "range": {"alpha": 0.24, "lw": 1.1, "ls": ":"},
    "values": {"alpha": 0.14, "lw": 0},
}
"""The look of a band by what it is, since a figure may have two kinds: intervals over tasks have no
edge, those of seeds have one."""
BARS: dict[str, dict[str, Any]] = {
    "tasks": {"lw": 1.4},
    "seeds": {"lw": 2.6},
    "range": {"lw": 5.0, "alpha": 0.35},
    "values": {"lw": 1.4},
}
"""The same where a curve is a single point."""
CHANCE: dict[str, Any] = {"color": NEUTRAL, "ls": (0, (1, 2)), "lw": 1.4}
MARKED = 14
"""Points up to which a curve shows each of them."""
VALUES = "values"
"""The metric of what is none: numbers of any sign and size."""
DEEP = 5
"""How many times below all curves a band may end on a logarithmic axis."""
MANY = 10
"""How many times the lowest of them the highest is, from where on their axis is logarithmic."""


@dataclass(frozen=True)
class Line:
    """One curve: accuracies in percent, losses as they are, NaN where something diverged."""

    x: Sequence[float]
    seeds: Sequence[Sequence[float]]
    """The values of each seed."""
    half: Sequence[float] | None = None
    """Half-widths: over tasks for one seed, of the mean over seeds for many."""
    look: Mapping[str, Any] = field(default_factory=dict)
    """`color`, `marker`, `ls`."""
    between: tuple[Sequence[float], Sequence[float]] | None = None
    """Ends of a band that is no interval: the lowest and the highest of many values."""

    @property
    def y(self) -> list[float]:
        """The mean over seeds."""
        return [statistics.fmean(values) for values in zip(*self.seeds, strict=True)]

    @property
    def note(self) -> str:
        """What its band is: over `tasks`, the `range` of few seeds, the mean over `seeds`, or of
        many `values`."""
        if self.between is not None:
            return "values"
        if len(self.seeds) == 1:
            return "tasks"
        return "range" if len(self.seeds) < FEW else "seeds"

    @property
    def banded(self) -> bool:
        """Whether there is anything to say of its uncertainty."""
        return self.half is not None or self.note in ("range", "values")

    @property
    def finite(self) -> bool:
        """Whether there is anything of it to see: what diverged is not averaged away."""
        return any(map(math.isfinite, self.y))

    @property
    def dot(self) -> bool:
        """Whether there is one point of it, which is no curve."""
        return sum(map(math.isfinite, self.y)) == 1

    def ends(self, metric: str) -> tuple[list[float], list[float]]:
        """The band, inside of what the metric can be."""
        if self.between is not None:
            return list(self.between[0]), list(self.between[1])
        if self.note == "range":
            at = list(zip(*self.seeds, strict=True))
            whole = [values if all(map(math.isfinite, values)) else (math.nan,) for values in at]
            return list(map(min, whole)), list(map(max, whole))
        half = self.half or [0.0] * len(self.x)
        low, high = (
            [inside(v + side * h, v, metric) for v, h in zip(self.y, half, strict=True)]
            for side in (-1, 1)
        )
        return low, high


def paint(axes: Axes, lines: Iterable[Line], metric: str, chance: float | None = None) -> None:
    """Draw curves, bands and the line of chance, and fit the y axis to what they can be."""
    lines = [line for line in lines if line.finite]
    if not lines:
        return
    for line in _side_by_side(lines):
        _paint(axes, line, metric)
    if metric == "acc":
        _percent(axes, lines, chance)
    elif metric == VALUES:
        _values(axes, lines)
    else:
        _losses(axes, lines)


def _side_by_side(lines: Sequence[Line]) -> list[Line]:
    """Curves of one point at the same place are moved a little apart."""
    if len(lines) < 2 or any(len(line.x) > 1 for line in lines):
        return list(lines)
    middle, width = (len(lines) - 1) / 2, 0.25 / len(lines)
    moved = enumerate(lines)
    if len({m.x[0] for m in lines}) == 1:  # their axis is of this place alone
        return [replace(m, x=[m.x[0] + 0.7 / len(lines) * (i - middle)]) for i, m in moved]
    return [replace(m, x=[m.x[0] + width * (i - middle) * max(m.x[0], 0.5)]) for i, m in moved]


def _paint(axes: Axes, line: Line, metric: str) -> None:
    look = {"lw": 1.7, "ms": 4, **line.look}
    if line.dot:
        look = dotted(look)
    if len(line.x) > MARKED:
        look["markevery"] = math.ceil(len(line.x) / MARKED)
    axes.plot(line.x, line.y, **look)
    if not line.banded:
        return
    if not line.dot:
        axes.fill_between(line.x, *line.ends(metric), color=look["color"], **BANDS[line.note])
    else:
        axes.vlines(line.x, *line.ends(metric), color=look["color"], **BARS[line.note])


def dotted(look: Mapping[str, Any]) -> dict[str, Any]:
    """The look of a curve where it is a single point: a marker, filled by its protocol as its line
    would be dashed."""
    named = {style: protocol for protocol, style in STYLES.items()}
    fill = filled(named.get(look.get("ls", "-"), ""), look["color"])
    return {"marker": "o", **look, **fill, "ls": ""}


def _percent(axes: Axes, lines: Sequence[Line], chance: float | None) -> None:
    seen = [v for line in lines for values in (*line.seeds, *line.ends("acc")) for v in values]
    if chance is not None:
        axes.axhline(chance, zorder=1.5, **CHANCE)
        seen.append(chance)
    seen = [v for v in seen if math.isfinite(v)]
    low, high = min(seen), max(seen)
    room = max(0.05 * (high - low), 1.0 if high > low else 5.0)
    axes.set_ylim(max(-1.0, low - room), min(101.5, high + room))
    evenly(axes.yaxis)


def _losses(axes: Axes, lines: Sequence[Line]) -> None:
    """By curves and the whole of their bands. Where a band falls to zero, or far below all curves,
    the axis is logarithmic above the lowest curve alone, and goes on to zero below it."""
    seen = [v for line in lines for values in line.seeds for v in values if math.isfinite(v)]
    ends = [v for line in lines for side in line.ends("loss") for v in side if math.isfinite(v)]
    curve, low, high = min(seen), min([*seen, *ends]), max([*seen, *ends])
    if low > curve / DEEP > 0 and high > 2 * low:
        logarithmic(axes.yaxis, low, high)
    elif low >= 0 and high > MANY * curve > 0:
        to_zero(axes.yaxis, curve, high)
    else:
        evenly(axes.yaxis)


def _values(axes: Axes, lines: Sequence[Line]) -> None:
    seen = [v for line in lines for values in (line.y, *line.ends(VALUES)) for v in values]
    seen = [v for v in seen if math.isfinite(v)]
    low, high = min(seen), max(seen)
    if low > 0 and high > MANY * low:
        logarithmic(axes.yaxis, low, high)
    else:
        evenly(axes.yaxis)
