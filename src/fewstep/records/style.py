"""What all pictures share: their look, their axes, and gaps where something diverged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter


if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType  # which older releases do not name

STYLE: dict[RcKeyType, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.dpi": 150,
}


def logarithmic(axes: Axes) -> None:
    """A log scale whose ticks are plain numbers, if there is anything to draw on it."""
    if not math.isfinite(axes.yaxis.get_minpos()):
        return
    axes.set_yscale("log")
    for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        which(FuncFormatter(lambda value, _: f"{value:g}"))


def numbers(values: Sequence[float | None], factor: float) -> list[float]:
    """The values times a factor; a gap in the picture where results.json has null."""
    return [math.nan if v is None or not math.isfinite(v) else factor * v for v in values]


def unit(metric: str) -> str:
    """What the axis of a metric says."""
    return "accuracy, %" if metric == "acc" else "squared error"
