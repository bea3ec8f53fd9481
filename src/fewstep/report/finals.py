"""The dot plot of final figures: one line a series, one panel a setting, with intervals.

The mean is a marker, the single seeds are dots below it. The thick bar is the 95 % interval over
tasks, the thin one that of the mean over seeds by Student's t, from three seeds on: that of two is
nine standard deviations wide on each side, and the two dots say more. Both stay inside of what an
accuracy can be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from fewstep.records import layout, measures
from fewstep.records.lines import CHANCE
from fewstep.records.panel import AXIS, TITLE, handle
from fewstep.records.style import NEUTRAL, STYLES, evenly, logarithmic
from fewstep.report.intervals import Estimate, by_seed, estimate
from fewstep.report.panels import Looks
from fewstep.report.series import Look, Series, cells, metric_of, place
from fewstep.report.table import Row


SEED: dict[str, Any] = {"ms": 3, "alpha": 0.7, "mew": 0}

NAME = 8.5
"""Points of a series's words."""

INTERVAL = 3
"""Seeds from which on the interval of their mean is drawn."""


@dataclass(frozen=True)
class Dot:
    """One figure of a series."""

    protocol: str
    figure: Estimate
    seeds: Sequence[float]
    look: Look


@dataclass(frozen=True)
class Dots:
    """A panel: the figures of a setting, by series."""

    title: str
    x: str
    metric: str
    chance: float | None
    rows: Sequence[tuple[str, Sequence[Dot]]]


def finals(table: Looks, named: Sequence[Series]) -> list[Dots]:
    """A panel for each setting, its series in the order of the table."""
    panels: dict[str, list[tuple[str, list[Dot]]]] = {}
    first: dict[str, Row] = {}
    for (row, look), series in zip(table, named, strict=True):
        first.setdefault(place(row), row)
        dots = [
            Dot(protocol, estimate(entries), _seeds(entries, metric_of(row)), look)
            for protocol, entries in cells(row).items()
        ]
        panels.setdefault(place(row), []).append((series.words, dots))
    return [_panel(first[where], rows) for where, rows in panels.items()]


def _panel(row: Row, rows: Sequence[tuple[str, Sequence[Dot]]]) -> Dots:
    metric = metric_of(row)
    chance = 100 / row["ways"] if metric == "acc" else None
    return Dots(place(row), measures.unit(metric, row.runs[0].content), metric, chance, rows)


def _seeds(entries: Sequence[Any], metric: str) -> list[float]:
    scale = 100 if metric == "acc" else 1
    known = [entry for entry in entries if entry[metric] is not None]
    return [scale * value for value in by_seed(known, metric).values()]


def height(panel: Dots, inches: float) -> float:
    """Inches of its rows, whose words have so many to the side."""
    lines = sum(
        max(len(dots) * 0.21, 0.165 * (layout.wrapped(name, inches, NAME).count("\n") + 1)) + 0.12
        for name, dots in panel.rows
    )
    return lines + 0.95


def fill(axes: Axes, panel: Dots, inches: float, wide: float) -> None:
    """Draw it; `inches` are for the words of a row, `wide` is the panel with them."""
    places = range(len(panel.rows))
    seen: list[float] = [] if panel.chance is None else [panel.chance]
    for y, (_, dots) in zip(places, panel.rows, strict=True):
        for i, dot in enumerate(dots):
            at = y + 0.62 * ((i + 0.5) / len(dots) - 0.5)
            seen += _dot(axes, dot, at, panel.metric)
    if panel.chance is not None:
        axes.axvline(panel.chance, zorder=1.5, **CHANCE)
    _limits(axes, [v for v in seen if math.isfinite(v)], panel.metric)
    names = [layout.wrapped(name, inches, NAME) for name, _ in panel.rows]
    axes.set_yticks(list(places), names, fontsize=NAME)
    axes.set_ylim(len(panel.rows) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(panel.x, fontsize=AXIS)
    axes.set_title(layout.wrapped(panel.title, wide - 0.5, TITLE), fontsize=TITLE)


def _dot(axes: Axes, dot: Dot, y: float, metric: str) -> list[float]:
    """Draw one figure and its value at the right edge; all numbers that the axis must hold."""
    figure, color = dot.figure, dot.look["color"]
    right = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": NAME - 0.5}
    if len(dot.seeds) > 1:
        axes.plot(dot.seeds, [y + 0.16] * len(dot.seeds), "o", color=color, **SEED)
    if figure.mean is None:
        axes.text(1.015, y, "diverged", color=NEUTRAL, **right)
        return [v for v in dot.seeds if math.isfinite(v)]
    digits = f"{figure.mean:.1f}" if metric == "acc" else f"{figure.mean:.3g}"
    axes.text(1.015, y, digits + (" (diverged)" if figure.shaky else ""), **right)
    seen = [figure.mean, *dot.seeds]
    for half, lw in ((figure.tasks, 2.4), (figure.seeds, 0.9)):
        if half is not None and (lw > 1 or len(dot.seeds) >= INTERVAL):
            low, high = max(figure.mean - half, 0.0), figure.mean + half
            ends = [low, min(high, 100.0) if metric == "acc" else high]
            axes.plot(ends, [y, y], color=color, lw=lw, solid_capstyle="butt")
            seen += ends
    marker = {**_filled(dot.protocol, color), "marker": dot.look["marker"], "ms": 6, "mew": 1.3}
    axes.plot([figure.mean], [y], ls="", **marker)
    return seen


def _filled(protocol: str, color: str) -> dict[str, Any]:
    """A marker that is whole, hollow or half by its protocol; hollow is white on any ground."""
    look = {"color": color, "markerfacecoloralt": "white"}
    hollow = {"markerfacecolor": "white"} if protocol == "transductive" else {}
    return {**look, **hollow, "fillstyle": "left" if protocol == "support" else "full"}


def _limits(axes: Axes, seen: Sequence[float], metric: str) -> None:
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    if metric == "loss" and low > 0 and high > 20 * low:
        logarithmic(axes.xaxis, low, high)
        return
    if metric == "acc" and low == high:  # there is nothing but chance, or nothing above it
        high = 100.0
    room = 0.05 * (high - low) or max(0.05 * abs(high), 1e-9)
    top = min(101.0, high + room) if metric == "acc" else high + room
    axes.set_xlim(max(-1.0 if metric == "acc" else 0.0, low - room), top)
    evenly(axes.xaxis)


def notes(panels: Sequence[Dots]) -> list[Any]:
    """Handles of a legend: what markers, bars and the line mean."""
    dots = [dot for panel in panels for _, dots in panel.rows for dot in dots]
    classes = [panel for panel in panels if panel.metric == "acc"]
    protocols = {dot.protocol for panel in classes for _, dots in panel.rows for dot in dots}
    look = {"ls": "", "marker": "o"}
    handles = [
        handle(p, {**look, **_filled(p, NEUTRAL), "ms": 6}) for p in STYLES if p in protocols
    ]
    handles.append(handle("95 % over tasks", {"color": NEUTRAL, "lw": 2.4}))
    if any(dot.figure.seeds is not None for dot in dots):
        handles.append(handle("single seeds", {**look, **SEED, "color": NEUTRAL}))
    if any(dot.figure.seeds is not None and len(dot.seeds) >= INTERVAL for dot in dots):
        handles.append(handle("95 % of the mean over seeds", {"color": NEUTRAL, "lw": 0.9}))
    if classes:
        handles.append(handle("chance", CHANCE))
    return handles
