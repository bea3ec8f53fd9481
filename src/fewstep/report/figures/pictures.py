"""The pictures of a section: final figures, a search, training, adaptation, Figure 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from fewstep.records.figures import fonts, layout
from fewstep.records.figures.panel import Panel, handle, notes, of_lines
from fewstep.records.figures.style import STYLE
from fewstep.report.figures import dots, finals, trials
from fewstep.report.figures.panels import Looks, adaptation, protocols_of, training
from fewstep.report.figures.search import Search, search_of
from fewstep.report.figures.series import Look, Series, looks_of, series_of
from fewstep.report.reproduction import four
from fewstep.report.sections import Section
from fewstep.report.tables.table import Row


if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType  # which older releases do not name


INK = "#1d2129"
"""The colour of words and axes, which becomes that of the page's text in an SVG."""

SIZE, ALONE = (3.9, 3.2), (5.4, 3.5)
"""Inches of a panel of curves, of which three are side by side at the most, and of a single one."""

EDGE = 0.18
"""Inches around a dot plot, whose words begin at the edge: they are a little wider in one file
format than in another."""

COLUMNS = 3

BEST = 6
"""Trials of a search whose curves are drawn: its best."""


@dataclass(frozen=True)
class Picture:
    """A figure, what its files are called, and what it shows."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Shown:
    """The rows of a section that its pictures tell apart, with their words and looks."""

    rows: Looks
    series: Sequence[Series]
    of: int
    """Series that the section has."""

    @property
    def cut(self) -> str:
        """What is left out, in words."""
        count = len(set(self.series))
        return f" {count} of {self.of} are shown." if count < self.of else ""

    def handles(self, lines: Sequence[Any]) -> list[Any]:
        """Those of the series that are among the lines, by their looks."""
        there = {(line.look["color"], line.look["marker"]) for line in lines if line.finite}
        looks = {s: look for s, (_, look) in zip(self.series, self.rows, strict=True)}
        return [
            handle(s.words, of_lines(look, lines))
            for s, look in looks.items()
            if (look["color"], look["marker"]) in there
        ]


def draw(section: Section, among: Iterable[str] = ()) -> list[Picture]:
    """Every picture for which a section has something to show, the final figures first; `among` are
    the families of all sections of its report."""
    with fonts.drawing(), plt.rc_context(_style()):
        found = list(_drawn(section, {*among}))
        for picture in found:
            picture.figure.draw_without_rendering()  # laid out once, not for each format
            picture.figure.set_layout_engine("none")
        return found


def _drawn(section: Section, among: Iterable[str]) -> Iterator[Picture]:
    if not section.rows:
        return
    if own := four.panels(section.rows):  # has its methods for lines, and every job is one point
        yield _four(own)
        return
    found = search_of(section)
    rows = _best_first(section.rows, found) if found else section.rows
    every = shown(rows, found.keys if found else (), among)
    yield _finals(every)
    if found:
        yield _search(found)
        best = {trial.run.folder for trial in found.first[:BEST]}
        every = shown([r for r in rows if r.runs[0].folder in best], found.keys, among)
    trained = [] if found else training(every.rows)  # a search shows what that came to
    yield from _curves(every, trained, "training", ())
    yield from _curves(every, adaptation(every.rows), "adaptation", protocols_of(every.rows))


def shown(table: Sequence[Row], keys: Sequence[str] = (), among: Iterable[str] = ()) -> Shown:
    """The rows of a table that a picture can tell apart."""
    named = series_of(table, keys)
    looks: dict[Series, Look] = looks_of(named, among)
    kept = [(row, s) for row, s in zip(table, named, strict=True) if s in looks]
    rows = [(row, looks[s]) for row, s in kept]
    return Shown(rows, [s for _, s in kept], len(set(named)))


def _best_first(table: Sequence[Row], found: Search) -> list[Row]:
    """The rows in the order of the objective; of a trial in several settings all together."""
    order = [trial.run.folder for trial in found.first]
    return sorted(table, key=lambda row: order.index(row.runs[0].folder))


def _finals(every: Shown) -> Picture:
    panels = dots.finals(every.rows, every.series)
    names = [name for panel in panels for name, _ in panel.rows]
    longest = max(layout.width_of(name, finals.NAME) for name in names)
    words = min(longest, 2.4) + EDGE
    columns = min(len(panels), 2 if words > 1.3 else 3)
    wide = words + (3.0 if columns > 1 else 4.2)
    high = max(finals.height(panel, words) for panel in panels)
    named = layout.legend(finals.notes(panels), wide * columns)
    figure, grid = layout.panels(len(panels), columns, (wide, high), named, EDGE)
    for axes, panel in zip(grid, panels, strict=True):
        finals.fill(axes, panel, words, wide)
    caption = "Final figures, every setting a panel; numbers at the right are the means."
    return Picture("final", caption + every.cut, figure)


def _search(found: Search) -> Picture:
    star = handle("best trial", trials.BEST | {"ms": 11})
    handles = [handle("trials", trials.TRIAL), star]
    handles += [handle("chance", trials.CHANCE)] if found.chance is not None else []
    named = layout.legend(handles, SIZE[0] * min(len(found.keys), COLUMNS))
    figure, grid = layout.panels(len(found.keys), COLUMNS, SIZE, named)
    for axes, key in zip(grid, found.keys, strict=True):
        trials.fill(axes, found, key, SIZE)
    caption = f"The search: {len(found.trials)} trials on {found.setting}, each by its objective."
    return Picture("search", caption, figure)


def _curves(
    every: Shown, found: Sequence[Panel], name: str, protocols: Sequence[str]
) -> Iterator[Picture]:
    if not found:
        return
    handles = every.handles([line for panel in found for line in panel.lines])
    handles += notes(found, protocols)
    yield Picture(name, CAPTIONS[name] + every.cut, _figure(found, handles))


CAPTIONS = {
    "training": "During training, measured in the first setting of each run.",
    "adaptation": "Adaptation to unseen tasks, by inner step.",
}


def _figure(found: Sequence[Panel], handles: Sequence[Any]) -> Figure:
    size = ALONE if len(found) == 1 else SIZE
    named = layout.legend(handles, size[0] * min(len(found), COLUMNS))
    figure, grid = layout.panels(len(found), COLUMNS, size, named)
    for axes, panel in zip(grid, found, strict=True):
        panel.fill(axes, size)
    return figure


def _four(found: Sequence[Any]) -> Picture:
    named = layout.legend(four.handles(found), SIZE[0] * min(len(found), COLUMNS))
    figure, grid = layout.panels(len(found), COLUMNS, SIZE, named)
    for axes, panel in zip(grid, found, strict=True):
        four.fill(axes, *panel)
    return Picture("figure_4", "The paper's Figure 4, bars 95 % intervals.", figure)


def _style() -> dict[RcKeyType, Any]:
    inked: tuple[RcKeyType, ...] = (
        *("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor"),
        *("xtick.color", "ytick.color", "grid.color"),
    )
    return {**STYLE, **dict.fromkeys(inked, INK), "font.size": 10, "axes.titlesize": 10}
