"""A panel of curves, and what the legend of a figure says of all of its panels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fewstep.records.figures import layout
from fewstep.records.figures.lines import BAND, CHANCE, Line, paint
from fewstep.records.figures.style import NEUTRAL, STYLES, inner_steps, meta_iterations


STEP, ITERATION = "inner step", "meta-iteration"

TITLE, AXIS = 10.5, 10
"""Points of the words around a panel."""

NOTES = {
    "tasks": "band: 95 % over tasks",
    "seeds": "band: 95 % of the mean over seeds",
    "range": "band: lowest to highest seed",
    "values": "band: lowest to highest value",
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


def notes(found: Sequence[Panel], protocols: Iterable[str] = ()) -> list[Any]:
    """Handles for what is no curve of its own: protocols, chance and bands."""
    lines = [line for panel in found for line in panel.lines if line.finite]
    handles: list[Any] = [handle(p, {"color": NEUTRAL, "ls": STYLES[p]}) for p in protocols]
    if any(panel.chance is not None for panel in found):
        handles.append(handle("chance", CHANCE))
    bands = dict.fromkeys(line.note for line in lines if line.banded)
    return [*handles, *(Patch(color=NEUTRAL, label=NOTES[note], **BAND) for note in bands)]
