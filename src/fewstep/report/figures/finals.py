"""The dot plot of final figures: one line a series, one panel a setting, with intervals.

The mean is a marker with the 95 % interval over tasks. A little below are the single seeds, with
the interval of their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from fewstep.records import measures
from fewstep.records.figures import layout
from fewstep.records.figures.lines import CHANCE
from fewstep.records.figures.panel import AXIS, TITLE, handle
from fewstep.records.figures.style import NEUTRAL, STYLES, evenly, filled, logarithmic
from fewstep.records.measures import inside
from fewstep.report.figures import broken
from fewstep.report.figures.dots import INTERVAL, Dot, Dots
from fewstep.report.figures.series import Look


SEED: dict[str, Any] = {"ms": 3, "alpha": 0.7, "mew": 0}
TASKS: dict[str, Any] = {"lw": 2.0, "zorder": 3}
SEEDS: dict[str, Any] = {"lw": 0.9, "zorder": 3}
CAP = 3.5
"""Points of each half of a bar's ends."""

NUMBERS = 0.75
"""Inches beside a panel for its numbers."""

NAME = 8.5
"""Points of a series's words."""


def height(panel: Dots, inches: float) -> float:
    """Inches of its rows, whose words have so many to the side."""
    lines = sum(
        max(
            sum(0.25 if len(dot.seeds) > 1 else 0.21 for dot in dots),
            0.165 * (layout.wrapped(name, inches, NAME).count("\n") + 1),
        )
        + 0.12
        for name, dots in panel.rows
    )
    return lines + 0.95


def fill(axes: Axes, panel: Dots, inches: float, wide: float) -> None:
    """Draw it; `inches` are for the words of a row, `wide` is the panel with them."""
    places = range(len(panel.rows))
    means = [dot.figure.mean for _, dots in panel.rows for dot in dots]
    numbers = iter(measures.told([m for m in means if m is not None], panel.metric))
    for y, (_, dots) in zip(places, panel.rows, strict=True):
        for i, dot in enumerate(dots):
            at = y + 0.62 * ((i + 0.5) / len(dots) - 0.5)
            _dot(axes, dot, at, panel.metric)
            _told(axes, dot, at, "" if dot.figure.mean is None else next(numbers))
            _single(axes, dot, at + min(0.2, 0.31 / len(dots)), panel.metric)
    _across(axes, panel, wide - inches)
    names = [layout.wrapped(name, inches, NAME) for name, _ in panel.rows]
    axes.set_yticks(list(places), names, fontsize=NAME)
    axes.set_ylim(len(panel.rows) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(panel.x, fontsize=AXIS)
    axes.set_title(layout.wrapped(panel.title, wide - 0.5, TITLE), fontsize=TITLE)


def _dot(axes: Axes, dot: Dot, y: float, metric: str) -> None:
    """One figure with its interval over tasks."""
    figure, color = dot.figure, dot.look["color"]
    if figure.mean is None:
        return
    marker = {**filled(dot.protocol, color), "marker": dot.look["marker"], "ms": 5, "mew": 1.2}
    axes.plot([figure.mean], [y], ls="", **marker)
    _bar(axes, dot.of_tasks(metric), y, {**TASKS, "color": color})


def _told(axes: Axes, dot: Dot, y: float, number: str) -> None:
    """Its value at the right edge."""
    right = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": NAME - 0.5}
    if dot.figure.mean is None:
        axes.text(1.015, y, "diverged", color=NEUTRAL, **right)
    else:
        axes.text(1.015, y, number + (" (diverged)" if dot.figure.shaky else ""), **right)


def _single(axes: Axes, dot: Dot, y: float, metric: str) -> None:
    """Its seeds, with the interval of their mean."""
    color = dot.look["color"]
    if len(dot.seeds) > 1:
        axes.plot(dot.seeds, [y] * len(dot.seeds), "o", color=color, **SEED)
    _bar(axes, dot.of_seeds(metric), y, {**SEEDS, "color": color})


def _bar(axes: Axes, ends: Sequence[float], y: float, look: Look) -> None:
    """An interval with its ends, above the marker that would hide a narrow one."""
    if ends:
        axes.plot(ends, [y, y], solid_capstyle="butt", **look)
        axes.plot(ends, [y, y], ls="", marker="|", ms=2 * CAP, mew=1.0, **look)


def _across(axes: Axes, panel: Dots, inches: float) -> None:
    """The axis of the figures, and the line of chance: beyond a break where it lies far away."""
    if panel.chance is not None and panel.far:
        _limits(axes, panel.seen, panel.metric)
        broken.off(axes, panel.chance, inches - NUMBERS, CHANCE)
        return
    line = [] if panel.chance is None else [panel.chance]
    for chance in line:
        axes.axvline(chance, zorder=1.5, **CHANCE)
    _limits(axes, [*panel.seen, *line], panel.metric)


def _limits(axes: Axes, seen: Sequence[float], metric: str) -> None:
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    if metric == "loss" and low > 0 and high > 20 * low:
        logarithmic(axes.xaxis, low, high)
        return
    if metric == "acc" and low == high:  # there is nothing but chance, or nothing above it
        high = 100.0
    room = 0.05 * (high - low) or max(0.05 * abs(high), 1e-9)
    top = min(101.0, high + room) if metric == "acc" else high + room
    left = max(-1.0, low - room) if metric == "acc" else inside(low - room, low, metric)
    axes.set_xlim(left, top)
    evenly(axes.xaxis)


def notes(panels: Sequence[Dots]) -> list[Any]:
    """Handles of a legend: what markers, bars and the line mean."""
    dots = [dot for panel in panels for _, dots in panel.rows for dot in dots]
    classes = [panel for panel in panels if panel.metric == "acc"]
    protocols = {dot.protocol for panel in classes for _, dots in panel.rows for dot in dots}
    look = {"ls": "", "marker": "o"}
    handles = [handle(p, {**look, **filled(p, NEUTRAL), "ms": 6}) for p in STYLES if p in protocols]
    handles.append(handle("95 % over tasks", {"color": NEUTRAL, "lw": TASKS["lw"]}))
    if any(dot.figure.seeds is not None for dot in dots):
        handles.append(handle("single seeds", {**look, **SEED, "color": NEUTRAL}))
    if any(dot.figure.seeds is not None and len(dot.seeds) >= INTERVAL for dot in dots):
        handles.append(handle("95 % of the mean over seeds", {"color": NEUTRAL, "lw": SEEDS["lw"]}))
    if any(panel.chance is not None for panel in classes):
        handles.append(handle("chance", CHANCE))
    return handles
