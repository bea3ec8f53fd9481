"""What all pictures share: their look, colours, axes, and gaps where something diverged."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
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

MARKERS = ("o", "s", "^", "D", "v", "P", "p", "X", "<", ">", "*", "d")

OWN = ("reptile", "maml", "fomaml", "joint", "combination", "truncated")
"""The algorithms whose colours are the palette's, in its order."""

STYLES = {"inductive": "-", "transductive": "--", "support": ":"}
"""The line of each protocol."""

TICKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Inner steps that are written at an axis."""


DIGIT = 0.033
"""Of the width of an axis, what a digit of its numbers takes with the room beside it."""

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


def markers_of(algorithms: Iterable[str]) -> dict[str, str]:
    """The markers of several: those that have none of their own go on one after the other, for many
    colours are not enough."""
    every = {*algorithms} - {"random"}
    own = {name: marker_of(name) for name in every if name in OWN}
    others = enumerate(sorted(every - own.keys()), len(OWN))
    return own | {name: MARKERS[place % len(MARKERS)] for place, name in others}


def apart(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The looks of an algorithm and its baselines, no two the same."""
    colors = {name: color_of(name) for name in names}
    if len({*colors.values()}) < len(colors):  # by their names two have one
        colors = colors_of(names)
    markers = markers_of(names)
    return {n: {"color": colors[n], "marker": markers.get(n, marker_of(n))} for n in colors}


def filled(protocol: str, color: str) -> dict[str, Any]:
    """A marker that is whole, hollow or half by its protocol; hollow is white on any ground."""
    look = {"color": color, "markerfacecoloralt": "white"}
    hollow = {"markerfacecolor": "white"} if protocol == "transductive" else {}
    return {**look, **hollow, "fillstyle": "left" if protocol == "support" else "full"}


def nth(place: int, colors: Sequence[str]) -> dict[str, Any]:
    """The look of one of many curves that have no colours of their own, unlike that of any other:
    where the colours begin again, their markers are others."""
    turn, at = divmod(place, len(colors))
    return {"color": colors[at], "marker": MARKERS[(at + turn) % len(MARKERS)]}


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


def to_zero(axis: Axis, low: float, high: float) -> None:
    """A log scale above a positive number, which goes on evenly from there to zero."""
    axis.axes.set_yscale("symlog", linthresh=low, linscale=0.5)
    axis.axes.set_ylim(0, high * (high / low) ** 0.06)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def evenly(axis: Axis, whole: bool = False) -> None:
    """A few ticks at round numbers."""
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=whole))


def inner_steps(axes: Axes, steps: Iterable[float]) -> None:
    """An axis of inner steps: the first few matter as much as the many that follow. Numbers that
    would touch are not all written."""
    at = {*steps}
    if len(at) == 1:
        axes.set_xlabel("inner step")
        _single(axes, at.pop())
        return
    last = max(at, default=0)
    axes.set(xlabel="inner step", xscale="symlog")
    place = axes.xaxis.get_transform().transform
    whole = float(place(np.array([max(1.0, last)]))[0])
    ticks: list[int] = []
    for tick in TICKS:
        room = DIGIT * len(str(tick)) * whole
        if tick <= last and (not ticks or np.diff(place(np.array([ticks[-1], tick])))[0] > room):
            ticks.append(tick)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(-0.2, max(1.0, last) * 1.15)


def meta_iterations(axes: Axes, iterations: Iterable[float]) -> None:
    """An axis of meta-iterations."""
    axes.set_xlabel("meta-iteration")
    at = sorted(iterations)
    if len(at) == 1:
        _single(axes, at[0])
    elif len(at) <= FEW_TICKS:
        axes.set_xticks(at)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _single(axes: Axes, place: float) -> None:
    """An axis with one place, at which curves of one point lie side by side."""
    axes.set_xticks([place], [f"{place:,.0f}"])
    axes.set_xlim(place - 0.5, place + 0.5)


def numbers(values: Sequence[float | None], factor: float) -> list[float]:
    """The values times a factor; a gap in the picture where results.json has null."""
    return [math.nan if v is None or not math.isfinite(v) else factor * v for v in values]
