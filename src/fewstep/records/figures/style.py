"""What all pictures share: their look, colours, axes, and gaps where something diverged."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, MaxNLocator


if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType  # which older releases do not name

STYLE: dict[RcKeyType, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.14,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "figure.dpi": 150,
    "pdf.fonttype": 42,  # text that can be searched, where journals refuse type 3
}

PALETTE = ("#265bea", "#e07000", "#02a985", "#bb0c8d", "#a286ed", "#73602d")
"""Told apart by readers with any one kind of cone missing, with a contrast of 2.9 or more to white
pages and to dark ones. More than six colours are not: markers go on where these end."""

FURTHER = ("#882255", "#e69f00", "#33bbee", "#cc79a7", "#4477aa", "#cc3311")
"""Of Tol's and of Okabe and Ito's palettes, those farthest from the six and from each other: what a
report of more than six algorithms goes on with, each with a marker of its own."""

NEUTRAL = "#7d8597"
"""What was not trained, and what is no curve."""

MARKERS = ("o", "s", "^", "D", "v", "P", "p", "X")

OWN = ("reptile", "maml", "fomaml", "joint", "combination", "truncated")
"""The algorithms whose colours are the palette's, in its order."""

STYLES = {"inductive": "-", "transductive": "--", "support": ":"}
"""The line of each protocol."""

TICKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Inner steps that are written at an axis."""


FEW_TICKS = 4
"""Meta-iterations up to which each is written."""


def color_of(algorithm: str) -> str:
    """The colour of an algorithm, the same in every picture; of those that have none, by its name,
    where a picture has no second one."""
    if algorithm == "random":
        return NEUTRAL
    if algorithm in OWN:
        return PALETTE[OWN.index(algorithm)]
    return PALETTE[zlib.crc32(algorithm.encode()) % len(PALETTE)]


def colors_of(algorithms: Iterable[str]) -> dict[str, str]:
    """The colours of several, of which no two are the same while there are enough: those that have
    none of their own take by their names what the others leave."""
    every = {*algorithms}
    own = {name: color_of(name) for name in every if name in (*OWN, "random")}
    free = [color for color in (*PALETTE, *FURTHER) if color not in own.values()]
    others = enumerate(sorted(every - own.keys()))
    return own | {name: free[place % len(free)] for place, name in others}


def marker_of(algorithm: str) -> str:
    """Its marker, by which it is told where colours are not."""
    return MARKERS[OWN.index(algorithm)] if algorithm in OWN else MARKERS[len(OWN)]


def logarithmic(axis: Axis, low: float, high: float) -> None:
    """A log scale between two positive numbers, with plain numbers at its ticks."""
    room = (high / low) ** 0.06
    if axis is axis.axes.xaxis:
        axis.axes.set(xscale="log", xlim=(low / room, high * room))
    else:
        axis.axes.set(yscale="log", ylim=(low / room, high * room))
    digits = "12357" if high < 8 * low else "125" if high < 80 * low else "1"
    plain = FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in digits else "")
    axis.set_major_formatter(plain)
    axis.set_minor_formatter(plain)


def evenly(axis: Axis, whole: bool = False) -> None:
    """A few ticks at round numbers."""
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=whole))


def inner_steps(axes: Axes, steps: Iterable[float]) -> None:
    """An axis of inner steps: the first few matter as much as the many that follow."""
    last = max(steps, default=0)
    axes.set(xlabel="inner step", xscale="symlog")
    ticks = [tick for tick in TICKS if tick <= last]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(-0.2, max(1.0, last) * 1.15)


def meta_iterations(axes: Axes, iterations: Iterable[float]) -> None:
    """An axis of meta-iterations."""
    axes.set_xlabel("meta-iteration")
    at = sorted(iterations)
    if len(at) <= FEW_TICKS:
        axes.set_xticks(at)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if len(at) == 1:  # else its axis would end at this one
        axes.set_xlim(0, 1.5 * max(at[0], 1))


def numbers(values: Sequence[float | None], factor: float) -> list[float]:
    """The values times a factor; a gap in the picture where results.json has null."""
    return [math.nan if v is None or not math.isfinite(v) else factor * v for v in values]
