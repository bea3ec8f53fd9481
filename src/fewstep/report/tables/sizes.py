"""Tests whose tasks draw their own ways and shots, by these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fewstep.records.sizes import SIZES, Cell, grid
from fewstep.report.statistics.intervals import estimate, show
from fewstep.report.tables.table import Entry, Row


def by_size(table: Sequence[Row]) -> Iterator[tuple[str, list[list[str]]]]:
    """Title, and head and body, of the tables by ways and by shots; nothing where no row is of such
    a test."""
    varied = [row for row in table if row["varies"]]
    for size in SIZES if varied else ():
        cells = [cell for row in varied for cell in _of_row(row, size)]
        yield f"By {size} of a task", grid(size, cells)


def _of_row(row: Row, size: str) -> Iterator[Cell]:
    columns = {
        "run": row.spoken,
        "initialization": str(row["init"]),
        "checkpoint": str(row["checkpoint"] or ""),
        "meta-iterations": f"{row['meta_iterations']:,}",
        "setting": row.setting,
        "test steps": str(row["steps"]),
    }
    for protocol, entries in row.cells.items():
        for value, groups in _groups(entries, size).items():
            yield Cell(columns, value, groups[0]["tasks"], protocol, show(estimate(groups)))


def _groups(entries: Sequence[Entry], size: str) -> dict[int, list[Mapping[str, Any]]]:
    """What each seed found of the tasks of a size, which are the same for all seeds."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for entry in entries:
        for group in entry.get(f"by_{size}") or ():
            found.setdefault(group[size], []).append({**group, "seed": entry["seed"]})
    return dict(sorted(found.items()))
