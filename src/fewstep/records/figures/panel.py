"""A panel of curves, and what the legend of a figure says of all of its panels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fewstep.records.figures import layout
from fewstep.records.figures.lines import BANDS, BARS, CHANCE, Line, dotted, paint
from fewstep.records.figures.style import NEUTRAL, STYLES, inner_steps, meta_iterations


STEP, ITERATION = "inner step", "meta-iteration"

TITLE, AXIS = 10.5, 10
"""Points of the words around a panel."""

NOTES = {
    "tasks": "95 % over tasks",
    "seeds": "95 % of the mean over seeds",
    "range": "lowest to highest seed",
    "values": "lowest to highest value",
}

Look = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """Curves of one setting."""

    title: str
    x: str
    """STEP or ITERATION."""
    y: str
    """What its axis says: `accuracy, %`."""
    metric: str
    lines: Sequence[Line]
    chance: float | None = None

    def fill(self, axes: Axes, size: tuple[float, float]) -> None:
        """Draw it on axes that have so many inches for themselves and their words."""
        paint(axes, self.lines, self.metric, self.chance)
        if self.x == STEP:
            inner_steps(axes, {x for line in self.lines for x in line.x})
        else:
            meta_iterations(axes, {x for line in self.lines for x in line.x})
        axes.set_title(layout.wrapped(self.title, size[0] - 0.7, TITLE), fontsize=TITLE)
        axes.set_ylabel(layout.wrapped(self.y, size[1] - 0.8, AXIS), fontsize=AXIS)


Labelled = tuple[Panel, Mapping[str, Look]]
"""A panel, and its curves as the legend has them."""


def handle(label: str, look: Look) -> Line2D:
    """What a legend shows of a curve."""
    return Line2D([], [], **{"lw": 1.7, "ms": 5, **look, "label": label})


def of_lines(look: Look, lines: Iterable[Line]) -> Look:
    """The look of a series in the legend as it is drawn: no line where it is single points."""
    own = [line for line in lines if line.finite and look.items() <= line.look.items()]
    return dotted(look) if own and all(line.dot for line in own) else look


def notes(found: Sequence[Panel], protocols: Iterable[str] = ()) -> list[Any]:
    """Handles for what is no curve of its own: protocols, chance and bands."""
    lines = [line for panel in found for line in panel.lines if line.finite]
    classes = [p for p in found if p.x == STEP and p.metric == "acc"]  # those of protocols
    adapted = [line for panel in classes for line in panel.lines if line.finite]
    handles: list[Any] = [handle(p, _protocol(p, adapted)) for p in protocols]
    if any(panel.chance is not None for panel in found):
        handles.append(handle("chance", CHANCE))
    bands = dict.fromkeys((line.dot, line.note) for line in lines if line.banded)
    return [*handles, *(_bar(n) if dot else _band(n) for dot, n in bands)]


def _protocol(name: str, lines: Sequence[Line]) -> Look:
    """A protocol's line, its marker where a setting has one point, and both where it has either."""
    look = {"color": NEUTRAL, "ls": STYLES[name]}
    dots = [line.dot for line in lines]
    if not any(dots):
        return look
    return dotted(look) if all(dots) else {**dotted(look), "ls": STYLES[name]}


def _band(note: str) -> Patch:
    return Patch(color=NEUTRAL, label=f"band: {NOTES[note]}", **BANDS[note])


def _bar(note: str) -> Line2D:
    """What a band is of a single point."""
    bar = {("mew" if key == "lw" else key): value for key, value in BARS[note].items()}
    look = {"color": NEUTRAL, "ls": "", "marker": "|", "ms": 10, **bar}
    return handle(f"bar: {NOTES[note]}", look)
