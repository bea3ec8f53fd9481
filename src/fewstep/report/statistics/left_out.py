"""Which rows are not held against a baseline though it was asked for, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fewstep.records import words
from fewstep.report.statistics.baseline import SHOWN, named, pairs, titles
from fewstep.report.statistics.intervals import estimate
from fewstep.report.tables.best import ALIKE
from fewstep.report.tables.table import Row


DIGITS = 8
"""Of a digest."""

SPOKEN = {
    "dataset": "datasets",
    "dataset_split": "splits of the dataset",
    "data_sha256": "data",
    "classes_sha256": "splits of the classes",
    "trained_on": "training data",
    "split": "splits",
    "queries": "test queries",
    "varies": "sizes that a task draws",
    "drawn": "ways in which test tasks are drawn",
    "eval_seed": "seeds of the test tasks",
    "tasks": "test tasks",
}
"""What rows share that are compared, in words; others are words themselves."""


def title(name: str) -> str:
    """What comes before the rows that are left out."""
    return f"Without a difference to {words.algorithm(name)}:"


def left_out(table: Sequence[Row], name: str) -> list[str]:
    """A line for each reason for which rows are not held against the baseline of this name, those
    rows first; nothing where none is called so.

    Raises:
        ConfigError: several rows that may be held against each other are called so.
    """
    own = named(table, name)
    others = [row for row in table if not any(row is one for one in own)]
    if own and not others:
        return ["the table has no other row"]
    held = {(id(row), protocol) for row, _, protocol, _ in pairs(table, name)}
    called, reasons = titles(table), {}
    for row in others if own else ():
        for protocol in row.cells:
            if (id(row), protocol) not in held:
                text = f"{called[id(row)]}, {row.setting}, {protocol}"
                reasons.setdefault(_reason(row, protocol, own), []).append(text)
    return [f"{_listed(rows)}: {reason}" for reason, rows in reasons.items()]


def _listed(rows: Sequence[str]) -> str:
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    return "; ".join(rows[:SHOWN]) + more


def _reason(row: Row, protocol: str, own: Sequence[Row]) -> str:
    """Why a row has no pair among those that the baseline's name stands for."""
    if estimate(row.cells[protocol]).diverged:
        return "diverged"
    tested = [one for one in own if protocol in one.cells]
    if not tested:
        return f"the baseline has no {protocol} figure"
    nearest = min(tested, key=lambda one: len(_differing(row, one)))
    if keys := _differing(row, nearest):
        return ", ".join(_told(key, row[key], nearest[key]) for key in keys)
    alike = [one for one in tested if not _differing(row, one)]
    steps = sorted(one["steps"] for one in alike if not estimate(one.cells[protocol]).diverged)
    if not steps:
        return "the baseline diverged"
    return f"test steps differ ({row['steps']}, the baseline's {', '.join(map(str, steps))})"


def _differing(row: Row, other: Row) -> list[str]:
    """The keys by which two rows were not tested on the same tasks; of another dataset, or of
    other data, what follows from that is no news."""
    keys = [key for key in ALIKE if row[key] != other[key]]
    first = next((key for key in ("dataset", "data_sha256") if key in keys), None)
    follow = ("dataset_split", "data_sha256", "classes_sha256")
    return [key for key in keys if key == first or not (first and key in follow)]


def _told(key: str, value: Any, wanted: Any) -> str:
    name = SPOKEN.get(key, key.replace("_", " "))
    return f"{name} differ ({_value(key, value)}, the baseline's {_value(key, wanted)})"


def _value(key: str, value: Any) -> str:
    if value is None:
        return {"trained_on": "its own", "drawn": "of all classes"}.get(key, "unknown")
    if key == "tasks":
        return f"{value:,}"
    return str(value)[:DIGITS] if key.endswith("_sha256") else words.valued(key, value)
