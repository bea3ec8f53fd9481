"""Which rows may be held against each other, and which of them is the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fewstep.records.statistics.two_way import holm
from fewstep.report.statistics.contrast import LEVEL, Contrast, contrast
from fewstep.report.statistics.intervals import estimate
from fewstep.report.tables.table import Row


class Best(str):
    """A cell with the best figure of its column, or with one that is not told apart from it."""


def bold(text: str, best: bool) -> str:
    """The same cell, marked if it is one of the best."""
    return Best(text) if best else text


ALIKE = ("dataset", "dataset_split", "data_sha256", "classes_sha256", "trained_on")
ALIKE += ("split", "ways", "shots", "queries", "varies", "drawn", "eval_seed", "tasks")
"""What rows share whose figures are of the same tasks; how they adapt is their own."""


def groups(table: Sequence[Row]) -> dict[tuple[Any, str], list[Row]]:
    """The rows that may be held against each other, by what they share and protocol; without those
    that diverged, of which nothing can be concluded."""
    found: dict[tuple[Any, str], list[Row]] = {}
    for row in table:
        for protocol, entries in row.cells.items():
            if not estimate(entries).diverged:
                key = tuple(row[name] for name in ALIKE), protocol
                found.setdefault(key, []).append(row)
    return found


def ahead(row: Row, other: Row, protocol: str) -> Contrast:
    """How far the row's figure is above the other's."""
    pair = {"row": row.cells[protocol], "other": other.cells[protocol]}
    return contrast({"row": 1, "other": -1}, pair)


def is_loss(row: Row, protocol: str) -> bool:
    """Whether less is better."""
    return "acc" not in row.cells[protocol][0]


def best(table: Sequence[Row]) -> set[tuple[int, str]]:
    """`(id of a row, protocol)` of the best of each group of several, and of those that are not
    told apart from it, with Holm's correction for all comparisons of the table: a table of
    differences to a row that is the best in each group then says the same.

    The same figures have said which is the best, so that this is no test of each pair: it keeps the
    one that is truly the best among those that are marked (Gupta 1965), and of equals some may go.
    """
    found, others = set(), []
    for (_, protocol), rows in groups(table).items():
        if len(rows) > 1:
            sign = -1 if is_loss(rows[0], protocol) else 1
            top = max(rows, key=lambda row: sign * (estimate(row.cells[protocol]).mean or 0.0))
            found.add((id(top), protocol))
            others += [(top, row, protocol) for row in rows if row is not top]
    contrasts = [ahead(*pair) for pair in others]
    adjusted = holm([one.p for one in contrasts])
    for (top, row, protocol), one, p in zip(others, contrasts, adjusted, strict=True):
        is_above = one.mean < 0 if is_loss(top, protocol) else one.mean > 0
        if not (p < LEVEL and is_above):
            found.add((id(row), protocol))
    return found
