"""metrics.csv: every scalar of a run, one row a meta-iteration that logged anything."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any


AXES = ("meta_iteration", "tasks_seen")


def read_metrics(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a metrics.csv; a row has only the columns that were logged then.

    A last line without its end, as a full disk leaves it, is no row: its numbers are cut short.
    """
    with path.open(newline="") as file:
        reader = csv.DictReader(line for line in file if line.endswith("\n"))
        rows = [{n: _number(v) for n, v in row.items() if n and v} for row in reader]
        return list(reader.fieldnames or AXES), rows


def _number(text: str) -> float | int:
    return int(text) if text.lstrip("-").isdecimal() else float(text)
