"""Every row against one: differences with intervals, and what may be said of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.messages.printable import printable
from fewstep.records.two_way import holm
from fewstep.report.best import ahead, groups, is_loss
from fewstep.report.contrast import LEVEL, Contrast
from fewstep.report.intervals import difference, p_value
from fewstep.report.table import Row


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
    where none is called so.

    Raises:
        ConfigError: several rows that may be held against each other are called so.
    """
    pairs = list(_pairs(table, name))
    found = [ahead(row, baseline, protocol) for row, baseline, protocol in pairs]
    adjusted = holm([one.p for one in found])
    body = [
        _line(row, protocol, one, p)
        for (row, _, protocol), one, p in zip(pairs, found, adjusted, strict=True)
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
    listed = ", ".join(every[:SHOWN]) + (", ..." if len(every) > SHOWN else "")
    raise ConfigError(
        f"--baseline {printable(name)}: no row is called so.{near} It must be an algorithm, a "
        f"label, a run's name or a whole row: {printable(listed) or 'there is none yet'}"
    )


def names(row: Row) -> list[str]:
    """What a row may be called, the shortest first."""
    if row["init"] != "trained":
        return [row["init"], f"{row.label} {row['init']}"]
    told = dict.fromkeys([row["algorithm"], row["label"], row["name"], row.brief, row.label])
    return [text for text in told if text]


def is_called(row: Row, name: str) -> bool:
    """Whether a name is one of its names, or what its table shows."""
    return name in names(row) or name == _title(row)


def _pairs(table: Sequence[Row], name: str) -> Iterator[tuple[Row, Row, str]]:
    for (_, protocol), rows in groups(table).items():
        called = [row for row in rows if is_called(row, name)]
        if len(called) > 1:
            told = "; ".join(f"{_title(row)}, {row.setting}" for row in called[:SHOWN])
            raise ConfigError(
                f"--baseline {printable(name)}: {len(called)} rows of one setting are called so: "
                f"{printable(told)}. Name one of them as it stands here, or report on fewer runs"
            )
        for row in rows:
            if called and row is not called[0]:
                yield row, called[0], protocol


def _title(row: Row) -> str:
    return row.spoken if row["init"] == "trained" else f"{row.spoken} {row['init']}"


def _line(row: Row, protocol: str, one: Contrast, p: float) -> list[str]:
    loss = is_loss(row, protocol)
    effect = "" if one.effect is None else f"{one.effect:+.2f}"
    told = difference(one, 4 if loss else 2), effect, p_value(p), _verdict(one, p, loss), one.basis
    return [_title(row), row.setting, protocol, *told]


def _verdict(one: Contrast, p: Any, loss: bool) -> str:
    if math.isnan(p) or p >= LEVEL:
        return "not told apart"
    return "better" if (one.mean < 0) == loss else "worse"
