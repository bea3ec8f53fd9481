"""The columns of a table: what tells its rows apart, and in a caption what is the same in all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.config.limits import PROTOCOLS
from fewstep.config.room import size
from fewstep.records import measures, words
from fewstep.records.headings import columns as columns_of
from fewstep.report.statistics.intervals import estimate, show
from fewstep.report.tables.best import best, bold
from fewstep.report.tables.further import further
from fewstep.report.tables.judged import judged
from fewstep.report.tables.table import Row
from fewstep.report.tables.work import work


Spent = Mapping[str, float | None]

PRODUCTS = "Hessian products"
COPIES = "copies"
SETTING = "setting"
TRAININGS = ("meta-iterations", "initialization", "seeds")
"""Columns that tell one training from another."""


@dataclass(frozen=True)
class Column:
    """A column, as text."""

    name: str
    cells: Sequence[str]
    phrase: str | None = None
    """What a caption says of it, with its value for `{}`; None of what stays in the table."""
    cost: bool | None = False
    """Whether it says what a training cost; None of one that says which training a row is of."""

    @property
    def constant(self) -> bool:
        return self.phrase is not None and len(set(self.cells)) == 1


def columns(table: Sequence[Row]) -> list[Column]:
    """Whatever is known of the rows, accuracies in percent and losses as they are."""
    every = dict.fromkeys(name for row in table for name in row.columns)
    own = [name for name in every if not all(row.says(name) for row in table)]
    found = [
        Column(words.named(name), [_own(row, name) for row in table], cost=None) for name in own
    ]
    telling = TRAININGS if own == [*every] else (*TRAININGS, SETTING)  # which says what was swept
    splits = [row["split"] for row in table]
    for name, text, of in _CONTEXT:
        cells = [of(row) for row in table]
        head, phrase = (words.of_split(part, *splits) for part in (name, text))
        found.append(Column(head, cells, phrase, None if name in telling else False))
    spent = [work(row) for row in table]
    found += [Column(name, [of(s) for s in spent], text, True) for name, text, of in _SPENT]
    found = [column for column in found if any(column.cells) and not _of_first_order(column)]
    found += [Column(name, cells) for name, cells in judged(table).items()]
    found += [Column(name, cells) for name, cells in _figures(table).items()]
    return [*found, *(Column(name, cells) for name, cells in further(table).items())]


def _of_first_order(column: Column) -> bool:
    """Whether it would tell of Hessians where there were none."""
    return column.name == PRODUCTS and {*column.cells} <= {"", "0"}


def grid(table: Sequence[Row], costs: bool | None = None) -> list[list[str]]:
    """Head and body of the columns that differ: of all, or of what trainings cost alone, a line a
    training, or of all but that."""
    shown = [column for column in columns(table) if not column.constant]
    if costs is not None:
        shown = [column for column in shown if column.cost in (None, costs)]
    body = zip(*(column.cells for column in shown), strict=True)
    lines = list(dict.fromkeys(body)) if costs else body
    return [[column.name for column in shown], *map(list, lines)]


def caption(table: Sequence[Row]) -> str:
    """One line for the columns that do not; empty where all do."""
    same = [c for c in columns(table) if c.constant and c.cells[0]]
    phrases = "; ".join(_phrase(c) for c in same)
    prefix = "Same in all rows: " if len(table) > 1 else ""
    return f"{prefix}{phrases}." if phrases else ""


def _phrase(column: Column) -> str:
    (value, *_), phrase = column.cells, str(column.phrase)
    alone = column.name == "seeds" and "," not in value
    return words.counted(phrase.replace("seeds", "seed") if alone else phrase, value)


def _own(row: Row, name: str) -> str:
    value = row.columns.get(name)
    if value is None and name == "label":  # pictures call it so too
        return words.algorithm(row["algorithm"] or "")
    return "" if value is None else words.valued(name, value)


def _count(value: float | None) -> str:
    if value is None:
        return ""
    return "<1" if 0 < value < 0.5 else f"{value:,.0f}"


def _speed(spent: Spent) -> str:
    """Told with the memory that it took, for the one is often bought with the other."""
    speed = spent["tasks_per_second"]
    return "" if None in (speed, spent["peak_bytes"]) else f"{speed:,.0f}"


def _memory(spent: Spent) -> str:
    return "" if spent["peak_bytes"] is None else size(spent["peak_bytes"])


def _figures(table: Sequence[Row]) -> dict[str, list[str]]:
    """The figures of the test, in bold the best."""
    marked = best(table)
    cells = [
        {
            protocol: bold(show(estimate(entries)), (id(row), protocol) in marked)
            for protocol, entries in row.cells.items()
        }
        for row in table
    ]
    units = [None if row.metric == "acc" else row.unit for row in table]
    return columns_of(cells, units, PROTOCOLS)


def _copies(shift: int) -> str:
    """Of each test picture, where there is more than itself (`eval.shift`)."""
    return str(measures.copies(shift)) if shift else ""


def _initialization(row: Row) -> str:
    return row["init"] + (f" ({row['checkpoint']})" if row["checkpoint"] else "")


_CONTEXT: Sequence[tuple[str, str, Callable[[Row], Any]]] = (
    ("meta-iterations", "{} meta-iterations", lambda row: f"{row['meta_iterations']:,}"),
    ("initialization", "initialization {}", _initialization),
    (SETTING, "{}", lambda row: row.setting),
    ("test steps", "{} test steps", lambda row: str(row["steps"])),
    (COPIES, "{} copies of each test picture", lambda row: _copies(row["shift"])),
    ("test tasks", "{} test tasks", lambda row: f"{row['tasks']:,}"),
    ("seeds", "seeds {}", lambda row: ", ".join(str(seed) for seed in row.seeds)),
)
_SPENT: Sequence[tuple[str, str, Callable[[Spent], str]]] = (
    ("tasks seen", "{} tasks seen", lambda spent: _count(spent["tasks_seen"])),
    ("inner gradients", "{} inner gradients", lambda spent: _count(spent["gradients_taken"])),
    (PRODUCTS, "{} Hessian products", lambda spent: _count(spent["hessian_products"])),
    ("examples seen", "{} examples seen", lambda spent: _count(spent["examples_seen"])),
    ("train seconds", "{} seconds of training", lambda spent: _count(spent["train_seconds"])),
    ("tasks a second", "{} tasks a second", _speed),
    ("peak memory", "{} of memory at the peak", _memory),
)
