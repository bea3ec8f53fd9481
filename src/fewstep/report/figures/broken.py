"""A broken axis: a value that is far from all others has a line of its own beyond a break.

So the rows of a panel keep the axis to themselves, and nobody takes the distance to that line for
one that is drawn to scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator


STRIP, LINE = 0.46, 0.14
"""Inches of what is beyond the break, and from the edge of the panel to the line in it."""
GAP = 0.06
"""Inches from slash to slash."""
MOST = 0.3
"""Of the axis, what is beyond the break at the most."""

SLASH: dict[str, Any] = {"marker": ((-0.4, -1.0), (0.4, 1.0)), "ms": 8, "mew": 1.0, "ls": ""}


def off(axes: Axes, value: float, inches: float, look: Mapping[str, Any]) -> None:
    """Draw a line for a value that lies outside of the limits of the x axis, which is about so many
    inches wide, and write it at its foot."""
    low, high = axes.get_xlim()
    strip = min(STRIP / max(inches, STRIP), MOST)
    beyond = (high - low) * strip / (1 - strip)
    if value < low:
        limits, at, edge = (low - beyond, high), low - beyond * (1 - LINE / STRIP), strip
    else:
        limits, at, edge = (low, high + beyond), high + beyond * (1 - LINE / STRIP), 1 - strip
    _ticks(axes, value, at)
    axes.set_xlim(*limits)
    axes.axvline(at, zorder=1.5, **look)
    _break(axes, edge, min(GAP / inches, strip / 4))


def _ticks(axes: Axes, value: float, at: float) -> None:
    """Those of the axis, which there are none of beyond the break, and the one of the value."""
    low, high = axes.get_xlim()
    ticks = [float(tick) for tick in axes.xaxis.get_majorticklocs() if low <= tick <= high]
    names = axes.xaxis.get_major_formatter().format_ticks(ticks)
    axes.xaxis.set_major_locator(FixedLocator([at, *ticks]))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{value:.3g}", *names]))


def _break(axes: Axes, at: float, gap: float) -> None:
    """Two slashes across the axis, and no axis in between."""
    spine = axes.spines["bottom"]
    look = {"transform": axes.transAxes, "clip_on": False, "color": spine.get_edgecolor()}
    spine.set_visible(False)
    width = spine.get_linewidth()
    for ends in ((0.0, at - gap / 2), (at + gap / 2, 1.0)):
        axes.plot(ends, (0.0, 0.0), lw=width, solid_capstyle="projecting", zorder=2.5, **look)
    axes.plot([at - gap / 2, at + gap / 2], [0.0, 0.0], zorder=4, **SLASH, **look)
