"""Room for words: titles that wrap, and a legend below the panels, as high as it needs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path

from fewstep.messages.printable import caption, printable
from fewstep.records.figures import fonts


SMALL = 9
"""Points of a legend's text."""
MARK, GAP, LINE = 0.55, 0.2, 0.19
"""Inches of a legend's handle, between its columns and of a line."""
LONGEST = 3
"""Lines of a text; a longer one is cut by its author's choice of words, and says so."""


def width_of(text: str, points: float) -> float:
    """Inches that a line of text takes, in fonts that have its characters."""
    text = printable(text)
    fonts.have(text)
    return _width(text, points, tuple(plt.rcParams["font.family"]))


@lru_cache(4096)
def _width(text: str, points: float, families: tuple[str, ...]) -> float:
    font = FontProperties(family=list(families), size=points)
    return text_to_path.get_text_width_height_descent(text, font, False)[0] / 72


def wrapped(text: str, inches: float, points: float) -> str:
    """The text in lines that are no wider and about as long as each other, its words whole where
    they fit."""
    text = printable(" ".join(text.split())) or " "
    fit = max(int(len(text) * inches / max(width_of(text, points), 0.01)), 4)
    lines = _lines(text, fit)
    while fit > 4 and (widest := max(width_of(line, points) for line in lines)) > inches:
        fit = max(4, min(fit - 1, int(fit * inches / widest)))
        lines = _lines(text, fit)
    even = len(text) // len(lines) + 1
    while even < fit and not _as_good(_lines(text, even), lines):
        even += 1
    return caption_lines(_lines(text, even) if even < fit else lines)


def _lines(text: str, characters: int) -> list[str]:
    return textwrap.wrap(text, characters, max_lines=LONGEST, placeholder=" …") or [" "]


def _as_good(lines: Sequence[str], others: Sequence[str]) -> bool:
    """Whether there are no more of them, and they end no sooner."""
    ends = lines[-1].endswith("…") and not others[-1].endswith("…")
    return len(lines) <= len(others) and not ends


def caption_lines(lines: Sequence[str]) -> str:
    """Lines for a picture, in which nothing is taken for mathematics."""
    return "\n".join(caption(line) for line in lines)


@dataclass(frozen=True)
class Legend:
    """Handles with wrapped labels, in as many columns as a figure is wide."""

    handles: Sequence[Any]
    labels: Sequence[str]
    columns: int

    @property
    def height(self) -> float:
        """Inches that it takes."""
        if not self.labels:
            return 0.0
        rows = math.ceil(len(self.labels) / self.columns)
        by_column = [self.labels[i * rows : (i + 1) * rows] for i in range(self.columns)]
        lines = max(sum(label.count("\n") + 1 for label in column) for column in by_column)
        return LINE * lines + 0.25

    def put(self, figure: Figure) -> None:
        """Below all panels, over none of them."""
        if self.labels:
            figure.legend(
                self.handles,
                self.labels,
                loc="outside lower center",
                ncols=self.columns,
                fontsize=SMALL,
                handlelength=2.2,
            )


def legend(handles: Sequence[Any], width: float) -> Legend:
    """A legend for a figure that is so many inches wide."""
    inside = width - 0.3
    labels = [wrapped(handle.get_label(), inside - MARK, SMALL) for handle in handles]
    widest = max((width_of(line, SMALL) for x in labels for line in x.split("\n")), default=1.0)
    fit = int((inside + GAP) / (widest + MARK + GAP))
    return Legend(handles, labels, max(1, min(fit, len(labels) or 1)))


def panels(
    count: int, columns: int, size: tuple[float, float], words: Legend, edge: float = 0.08
) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels of one size in inches, with its legend, and inches around each;
    none of them empty."""
    wide, high = max(min(count, columns), 1), max(math.ceil(count / columns), 1)
    shape = (size[0] * wide, size[1] * high + words.height)
    figure = plt.figure(figsize=shape, layout=ConstrainedLayoutEngine(w_pad=edge, h_pad=0.08))
    grid = figure.subplots(high, wide, squeeze=False)
    for axes in grid.flat[count:]:
        axes.remove()
    words.put(figure)
    plt.close(figure)  # pyplot need not keep it
    return figure, list(grid.flat[:count])
