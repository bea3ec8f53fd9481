"""metrics.csv: every scalar of a run, one row a meta-iteration that logged anything."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_text
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


AXES = ("meta_iteration", "tasks_seen")


def read_metrics(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a metrics.csv; a row has only the columns that were logged then.

    A last line without its end, as a full disk leaves it, is no row: its numbers are cut short.

    Raises:
        OSError, ValueError: it cannot be read as a table of numbers.
    """
    return _table(_whole_lines(plain_text(path)))


def read_history(path: Path, key: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The same of a run that goes on, which writes the file anew with what it could read of it.

    Raises:
        ConfigError: a file with anything else in it, which would be lost, under `key`.
    """
    axis = AXES[0]
    try:
        text = plain_text(path)
        lines = _whole_lines(text)
        columns, rows = _table(lines)
        if text.strip() and not (lines.strip() and axis in columns):
            raise ValueError(f"it has no column {axis}")
        for row in rows:
            if not isinstance(row.get(axis), int):
                raise ValueError(f"{axis}={row.get(axis, '')}: must be a whole number")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{key}: {path}: cannot be read as what the run has logged ({printable(reason)}), and "
            "would be written over. Move it away, and the run goes on with a new one"
        ) from None
    return columns, rows


def _whole_lines(text: str) -> str:
    lines, end, _ = text.rpartition("\n")
    return lines + end


def _table(text: str) -> tuple[list[str], list[dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    try:
        rows = [{n: _number(v) for n, v in row.items() if n and v} for row in reader]
    except csv.Error as error:  # of a field with more characters than it takes
        raise ValueError(str(error)) from None
    return list(reader.fieldnames or AXES), rows


def _number(text: str) -> float | int:
    return int(text) if text.lstrip("-").isdecimal() else float(text)
