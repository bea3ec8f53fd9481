"""Every row against one: differences with intervals, and what may be said of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fewstep.messages.errors import ConfigError, did_you_mean, some
from fewstep.messages.printable import printable
from fewstep.records.statistics.two_way import holm
from fewstep.report.statistics.contrast import LEVEL, Contrast
from fewstep.report.statistics.decimals import PLACES
from fewstep.report.statistics.intervals import difference, p_value
from fewstep.report.tables.best import ahead, groups, is_loss
from fewstep.report.tables.namesakes import apart
from fewstep.report.tables.table import Row


P = "p (Holm)"
HEAD = ["row", "setting", "protocol", "difference", "effect", P, "verdict"]
HEAD += ["interval over"]

NOTE = (
    "A difference is the row's figure minus the baseline's, accuracies in points, over the seeds "
    "that both have, ± the half-width of its 95 % interval; losses are better where they are "
    "lower. The effect is the difference over the standard deviation of one, that of a single "
    "training in a single task (Cohen's d_z). A verdict rests on the p-value, below 0.05 after "
    "Holm's correction for all comparisons of the table."
)

SHOWN = 8
"""Names that a message lists."""


def compared(table: Sequence[Row], name: str) -> list[list[str]]:
    """Head and body: the rows that may be held against the baseline of this name; a head alone
    where there is none (`left_out` says why). Of one that was tested after several numbers of
    steps, each row is held against that of its own number.

    Raises:
        ConfigError: several rows that may be held against each other are called so.
    """
    found = list(pairs(table, name))
    contrasts = [ahead(row, baseline, protocol) for row, baseline, protocol, _ in found]
    adjusted = holm([one.p for one in contrasts])
    called = titles(table)
    body = [
        [called[id(row)], setting, protocol, *_cells(one, p, is_loss(row, protocol))]
        for (row, _, protocol, setting), one, p in zip(found, contrasts, adjusted, strict=True)
    ]
    return [HEAD, *body]


def check_name(tables: Sequence[Sequence[Row]], name: str) -> None:
    """Refuse a baseline that no table has.

    Raises:
        ConfigError: with names that are near.
    """
    if any(named(table, name) for table in tables):
        return
    every = list(dict.fromkeys(n for table in tables for row in table for n in names(row)))
    whole = [title for table in tables for title in titles(table).values()]
    near = did_you_mean(name, [*whole, *every])
    known = printable(some(every, SHOWN)) or "there is none yet"
    raise ConfigError(
        f"--baseline {printable(name)}: no row is called so.{near} It must be an algorithm, a "
        f"label, a run's name or a whole row: {known}"
    )


def names(row: Row) -> list[str]:
    """What a row may be called, the shortest first."""
    if row["init"] != "trained":
        return [row["init"], f"{row.label} {row['init']}"]
    every = dict.fromkeys([row["algorithm"], row["label"], row["name"], row.brief, row.label])
    return [text for text in every if text]


def named(table: Sequence[Row], name: str) -> list[Row]:
    """The rows that a name is one of the names of, or what the table shows of them."""
    title = titles(table)
    return [row for row in table if name in (*names(row), _title(row), *_shown(row, title))]


def titles(table: Sequence[Row]) -> dict[int, str]:
    """What each row of a table is called in words, by its `id`; where several of one setting are
    called the same, with what tells them apart."""
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in table:
        alike.setdefault((_title(row), row.setting), []).append(row)
    return {
        id(row): ", ".join([title, *apart(row, rows)])
        for (title, _), rows in alike.items()
        for row in rows
    }


def pairs(table: Sequence[Row], name: str) -> Iterator[tuple[Row, Row, str, str]]:
    """Row, its baseline, protocol, and the setting as it is told.

    Raises:
        ConfigError: several rows that may be held against each other are called so.
    """
    title, every = titles(table), {id(row) for row in named(table, name)}
    for (_, protocol), rows in groups(table).items():
        called = [row for row in rows if id(row) in every]
        if len(called) > len({row["steps"] for row in called}):
            told = "; ".join(_shown(row, title)[1] for row in called[:SHOWN])
            raise ConfigError(
                f"--baseline {printable(name)}: {len(called)} rows of one setting are called so: "
                f"{printable(told)}. Name one of them as it stands here, or report on fewer runs"
            )
        for row in rows:
            own = [one for one in called if len(called) == 1 or one["steps"] == row["steps"]]
            if own and row is not own[0]:
                steps = f", {row['steps']} steps" if len(called) > 1 else ""
                yield row, own[0], protocol, row.setting + steps


def _shown(row: Row, title: Mapping[int, str]) -> tuple[str, str]:
    """Alone, and with its setting as messages list it."""
    return title[id(row)], f"{title[id(row)]}, {row.setting}"


def _title(row: Row) -> str:
    return row.spoken if row["init"] == "trained" else f"{row.spoken} {row['init']}"


def _cells(one: Contrast, p: float, loss: bool) -> list[str]:
    effect = "" if one.effect is None else f"{one.effect:+.2f}"
    found = difference(one, PLACES if loss else 2)
    return [found, effect, p_value(p), _verdict(one, p, loss), one.basis]


def _verdict(one: Contrast, p: Any, loss: bool) -> str:
    if math.isnan(p) or p >= LEVEL:
        return "not told apart"
    return "better" if (one.mean < 0) == loss else "worse"
