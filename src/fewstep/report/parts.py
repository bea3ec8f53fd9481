"""What a report consists of, in order and in no format: headings, words, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fewstep.records import words
from fewstep.report import notes
from fewstep.report.reproduction import orderings, paper
from fewstep.report.sections import Section
from fewstep.report.statistics.baseline import NOTE, compared
from fewstep.report.statistics.left_out import left_out
from fewstep.report.statistics.left_out import title as title_of_rest
from fewstep.report.tables.columns import caption, grid
from fewstep.report.tables.sizes import by_size
from fewstep.report.tables.table import Row
from fewstep.report.tables.work import differences


@dataclass(frozen=True)
class Heading:
    """Begins a section."""

    text: str


@dataclass(frozen=True)
class Words:
    """A paragraph, or with several entries a list."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Head and body."""

    lines: Sequence[Sequence[str]]
    title: str = "Table"
    """What a list of contents calls it."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of a section that come before its table, or behind it."""

    section: Section
    first: bool


@dataclass(frozen=True)
class Origins:
    """Where the figures of a section come from: its runs, their folders and commands."""

    section: Section


Part = Heading | Words | Table | Pictures | Origins


def parts(
    found: Sequence[Section], beside_paper: bool, baseline: str | None = None
) -> Iterator[Part]:
    """Every section, with its differences to a baseline and the paper's figures beside them if
    asked.

    Raises:
        ConfigError: a baseline that is not there, or is not one.
    """
    for section in found:
        yield Heading(section.title)
        yield Words([section.summary])
        if section.rows:
            yield Pictures(section, first=True)
            yield from _rows(section.rows, baseline)
            yield Pictures(section, first=False)
        if section.missing:
            yield Words(["Without results:", *section.missing])
        if section.earlier:
            yield Words(["Gone on since, and not finished:", *section.earlier])
        if section.rows:
            yield Origins(section)
    if any(section.rows for section in found):
        yield Words(["Notes:", *notes.note([row for section in found for row in section.rows])])
    if beside_paper:
        every = (row for section in found for row in section.rows)
        table = [row for row in every if not row["trained_on"]]  # as the paper's are
        yield from _tables(table)
        yield from _orderings(table)


def _rows(table: Sequence[Row], baseline: str | None) -> Iterator[Part]:
    """What a section found, and how far it is from the baseline where one of its rows is that."""
    if same := caption(table):
        yield Words([same])
    yield Table(grid(table))
    for title, lines in by_size(table):
        yield Words([f"{title}:"])
        yield Table(lines, title)
    if given := differences(table):
        yield Words([given])
    if baseline:
        yield from _against(table, baseline)


def _against(table: Sequence[Row], baseline: str) -> Iterator[Part]:
    """The differences to the baseline, and why some rows have none."""
    if (lines := compared(table, baseline))[1:]:
        title = f"Differences to {words.algorithm(baseline)}"
        yield Words([f"{title}:"])
        yield Table(lines, title)
        yield Words([NOTE])
    if rest := left_out(table, baseline):
        yield Words([title_of_rest(baseline), *rest])


def _tables(table: Sequence[Row]) -> Iterator[Part]:
    found = paper.matches(table)
    yield Heading("Beside the paper's Tables 1 and 2")
    if found:
        yield Table(paper.grid(found))
        yield Words(["Notes:", *paper.NOTES])
    if lacking := paper.without_counterpart(found):
        yield Words(["Cells of the paper without a run here:", *lacking])


def _orderings(table: Sequence[Row]) -> Iterator[Part]:
    if curves := orderings.curves(table):
        yield Heading("The orderings of the paper's Figure 3")
        yield Words([f"{len(curves)} of its {len(orderings.CURVES)} curves are here."])
        yield Table(orderings.grid(curves))
        yield Words([orderings.NOTE])
