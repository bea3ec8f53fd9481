"""What a dot plot of final figures shows: of each setting a panel, of each series its figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.records import measures
from fewstep.records.measures import inside
from fewstep.report.figures.panels import Looks
from fewstep.report.figures.series import Look, Series, cells, place
from fewstep.report.statistics.intervals import Estimate, by_seed, estimate
from fewstep.report.tables.table import Row


INTERVAL = 3
"""Seeds from which on the interval of their mean is drawn, by Student's t: that of two is nine
standard deviations wide on each side, and the two dots say more."""


@dataclass(frozen=True)
class Dot:
    """One figure of a series."""

    protocol: str
    figure: Estimate
    seeds: Sequence[float]
    look: Look

    def ends(self, half: float | None, metric: str) -> tuple[float, ...]:
        """Of an interval, inside of what the metric can be; none of what is not known."""
        mean = self.figure.mean
        if mean is None or half is None or not math.isfinite(half):
            return ()
        return tuple(inside(end, mean, metric) for end in (mean - half, mean + half))

    def of_tasks(self, metric: str) -> tuple[float, ...]:
        """The interval over tasks."""
        return self.ends(self.figure.tasks, metric)

    def of_seeds(self, metric: str) -> tuple[float, ...]:
        """That of the mean over seeds, where it is drawn."""
        return self.ends(self.figure.seeds, metric) if len(self.seeds) >= INTERVAL else ()

    def numbers(self, metric: str) -> list[float]:
        """All that an axis must hold."""
        mean = [] if self.figure.mean is None else [self.figure.mean]
        every = [*mean, *self.seeds, *self.of_tasks(metric), *self.of_seeds(metric)]
        return [value for value in every if math.isfinite(value)]


@dataclass(frozen=True)
class Dots:
    """A panel: the figures of a setting, by series."""

    title: str
    x: str
    metric: str
    chance: float | None
    rows: Sequence[tuple[str, Sequence[Dot]]]

    @property
    def seen(self) -> list[float]:
        """All numbers of its dots."""
        return [v for _, dots in self.rows for dot in dots for v in dot.numbers(self.metric)]

    @property
    def far(self) -> bool:
        """Whether chance lies so far away that rows would share less than a third of the axis for
        its sake: then the axis is broken before it."""
        if self.chance is None or len(self.rows) < 2 or not self.seen:
            return False
        low, high = min(self.seen), max(self.seen)
        whole = max(high, self.chance) - min(low, self.chance)
        return 0 < high - low < whole / 3


def finals(table: Looks, named: Sequence[Series]) -> list[Dots]:
    """A panel for each setting, its series in the order of the table."""
    panels: dict[str, list[tuple[str, list[Dot]]]] = {}
    first: dict[str, Row] = {}
    for (row, look), series in zip(table, named, strict=True):
        first.setdefault(place(row), row)
        dots = [
            Dot(protocol, estimate(entries), _seeds(entries, row.metric), look)
            for protocol, entries in cells(row).items()
        ]
        panels.setdefault(place(row), []).append((series.words, dots))
    return [_panel(first[where], rows) for where, rows in panels.items()]


def _panel(row: Row, rows: Sequence[tuple[str, Sequence[Dot]]]) -> Dots:
    chance = row.chance if row.metric == "acc" else None
    return Dots(place(row), row.unit, row.metric, chance, rows)


def _seeds(entries: Sequence[Any], metric: str) -> list[float]:
    scale = measures.scale(metric)
    known = [entry for entry in entries if entry[metric] is not None]
    return [scale * value for value in by_seed(known, metric).values()]
