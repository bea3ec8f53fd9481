"""Whose data a row's runs saw: two datasets of one name are two rows, and say which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fewstep.report.runs.gather import Run


COLUMNS = {"data_sha256": "data", "classes_sha256": "classes"}
"""What a table says of a digest, by its first digits, where rows of one dataset differ in it."""

CLASSES = "dataset split"
"""The column of the split of its dataset that a row is of, where another row is of another."""

DIGITS = 8


class Data:
    """What the entries of some runs say of their data.

    Runs that are older than digests say nothing. They count as of the data that all others of
    their recipe saw, if that is one; else they are rows of their own.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._known: dict[Any, set[tuple]] = {}
        for run in runs:
            if run.content.get("data_sha256"):
                self._known.setdefault(_kind(run.content), set()).add(_digests(run.content))

    def __call__(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The digests of an entry, and what its checkpoint was trained on where that is other."""
        found, known = _digests(entry), self._known.get(_kind(entry), set())
        if not entry.get("data_sha256") and len(known) == 1:
            (found,) = known
        trained = entry.get("trained_on") or {}
        other = [trained.get("dataset"), str(trained.get("data_sha256") or "")[:DIGITS]]
        text = " ".join(str(word) for word in other if word)
        return {**dict(zip(COLUMNS, found, strict=True)), "trained_on": text or None}


def data_columns(row: Any, table: Sequence[Any]) -> dict[str, Any]:
    """What tells a row's data from that of others whose configuration of it is the same."""
    alike = [other for other in table if _asked(other) == _asked(row)]
    columns = {}
    for name, column in COLUMNS.items():
        if len({other[name] for other in alike if other[name]}) > 1:
            columns[column] = (row[name] or "unknown")[:DIGITS]
    if len({r["dataset_split"] for r in table if r["dataset"] == row["dataset"]}) > 1:
        columns[CLASSES] = row["dataset_split"]
    if row["trained_on"]:
        columns["trained on"] = row["trained_on"]
    return columns


def _asked(row: Any) -> Any:
    """The dataset that a row's runs asked for, which may have been another one under its root."""
    return row["dataset"], row.runs[0].config.get("dataset")


def _kind(content: Mapping[str, Any]) -> Any:
    """What runs have in common whose data may be the same."""
    split = content.get("dataset_split")
    return content.get("dataset"), split, content.get("recipe_hash"), content.get("label")


def _digests(content: Mapping[str, Any]) -> tuple:
    return tuple(content.get(name) for name in COLUMNS)
