"""A section's picture, for a file and for a page."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib


matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from fewstep.messages.printable import caption
from fewstep.records.style import STYLE
from fewstep.report.panels import adaptation, figure_four, key, looks_of, training
from fewstep.report.sections import Section


if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType  # which older releases do not name


INK = "#1d2129"
"""The colour of words and axes, which becomes that of the page's text in an SVG."""


def draw(section: Section) -> Figure | None:
    """One panel for each thing there is to see of a section; None where there is nothing."""
    looks = looks_of(section.rows)
    shown = [row for row in section.rows if key(row) in looks]
    curves = [*training(shown), *adaptation(shown)]
    own = figure_four(section.rows)  # has its methods for lines, and every job is one point
    panels = own or curves
    if not panels:
        return None
    wide, high = min(len(panels), 3), math.ceil(len(panels) / 3)
    legend = 1 if wide == 1 else 2  # columns
    size = (max(4.4 * wide, 6), 3.5 * high + (0 if own else 0.24 * len(looks) / legend + 0.4))
    with plt.rc_context(_style()):
        figure, grid = plt.subplots(high, wide, figsize=size, layout="constrained", squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            panel(axes, looks)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        if not own:
            handles = [plt.Line2D([], [], lw=1.8, **look) for look in looks.values()]
            labels = [caption(" · ".join(filter(None, name))) for name in looks]
            figure.legend(handles, labels, loc="outside lower center", ncols=legend, fontsize=9)
        plt.close(figure)  # pyplot need not keep it
    return figure


def write_png(figure: Figure, file: Path) -> None:
    """A picture of its own, on white."""
    figure.savefig(file, dpi=150, facecolor="white")


def svg(figure: Figure, salt: str) -> str:
    """The picture to stand inside a page, in the page's own text colour and on its ground.

    `salt` keeps the names inside one picture from those of another on the same page.
    """
    out = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _style() -> dict[RcKeyType, Any]:
    inked: tuple[RcKeyType, ...] = (
        *("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor"),
        *("xtick.color", "ytick.color", "grid.color"),
    )
    return {**STYLE, **dict.fromkeys(inked, INK), "font.size": 10, "axes.titlesize": 10}
