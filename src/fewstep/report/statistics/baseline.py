"""Every row against one: differences with intervals, and what may be said of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from fewstep.messages.errors import ConfigError, did_you_mean, some
from fewstep.messages.printable import printable
from fewstep.records.statistics.two_way import holm
from fewstep.report.statistics.contrast import LEVEL, Contrast
from fewstep.report.statistics.intervals import difference, p_value
from fewstep.report.tables.best import ahead, groups, is_loss
from fewstep.report.tables.table import Row


HEAD = ["row", "setting", "protocol", "difference", "effect", "p (Holm)", "verdict"]
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
    where none is called so. Of one that was tested after several numbers of steps, each row is held
    against that of its own number.

    Raises:
        ConfigError: several rows that may be held against each other are called so.
    """
    pairs = list(_pairs(table, name))
    found = [ahead(row, baseline, protocol) for row, baseline, protocol, _ in pairs]
    adjusted = holm([one.p for one in found])
    body = [
        [_title(row), setting, protocol, *_cells(one, p, is_loss(row, protocol))]
        for (row, _, protocol, setting), one, p in zip(pairs, found, adjusted, strict=True)
    ]
    return [HEAD, *body]


def check_name(tables: Sequence[Sequence[Row]], name: str) -> None:
    """Refuse a baseline that no table has.

    Raises:
        ConfigError: with names that are near.
    """
    every = list(dict.fromkeys(n for table in tables for row in table for n in names(row)))
    if any(is_called(row, name) for table in tables for row in table):
        return
    near = did_you_mean(name, every)
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


def is_called(row: Row, name: str) -> bool:
    """Whether a name is one of its names, or what its table shows."""
    return name in names(row) or name == _title(row)


def _pairs(table: Sequence[Row], name: str) -> Iterator[tuple[Row, Row, str, str]]:
    """Row, its baseline, protocol, and the setting as it is told."""
    for (_, protocol), rows in groups(table).items():
        called = [row for row in rows if is_called(row, name)]
        if len(called) > len({row["steps"] for row in called}):
            titles = "; ".join(f"{_title(row)}, {row.setting}" for row in called[:SHOWN])
            raise ConfigError(
                f"--baseline {printable(name)}: {len(called)} rows of one setting are called so: "
                f"{printable(titles)}. Name one of them as it stands here, or report on fewer runs"
            )
        for row in rows:
            own = [one for one in called if len(called) == 1 or one["steps"] == row["steps"]]
            if own and row is not own[0]:
                steps = f", {row['steps']} steps" if len(called) > 1 else ""
                yield row, own[0], protocol, row.setting + steps


def _title(row: Row) -> str:
    return row.spoken if row["init"] == "trained" else f"{row.spoken} {row['init']}"


def _cells(one: Contrast, p: float, loss: bool) -> list[str]:
    effect = "" if one.effect is None else f"{one.effect:+.2f}"
    found = difference(one, 4 if loss else 2)
    return [found, effect, p_value(p), _verdict(one, p, loss), one.basis]


def _verdict(one: Contrast, p: Any, loss: bool) -> str:
    if math.isnan(p) or p >= LEVEL:
        return "not told apart"
    return "better" if (one.mean < 0) == loss else "worse"
