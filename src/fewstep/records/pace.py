"""progress.json in the folder of a run under way: how far it is and how fast, which
`fewstep status` shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_yaml
from fewstep.records.metrics import read_metrics
from fewstep.records.notes import read_note, write_note


RECORD = "progress.json"
MEASURED = ("tasks_per_second", "seconds_left")
MOST = 10**12
"""Of anything that is counted or measured here."""


@dataclass(frozen=True)
class Pace:
    """How far a training is."""

    meta_iteration: int | None = None
    of: int | None = None
    tasks_per_second: float | None = None
    seconds_left: float | None = None


def write_pace(folder: Path, pace: Pace) -> None:
    """Say how far a run is; on a full disk that goes unsaid."""
    write_note(folder / RECORD, vars(pace))


def read_pace(folder: Path) -> Pace:
    """How far a run is, as it has said itself, or as its metrics.csv and its configuration do."""
    note = read_note(folder / RECORD)
    if note:
        counts = {name: _whole(note.get(name)) for name in ("meta_iteration", "of")}
        return Pace(**counts, **{name: _number(note.get(name)) for name in MEASURED})
    return Pace(_last(folder / "metrics.csv"), _length(folder / "config.yaml"))


def _number(value: Any) -> Any:
    """A number that a run can have got to; nobody knows what any other thing in its place means."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST
    return value if known else None


def _whole(value: Any) -> int | None:
    return _number(value) if isinstance(value, int) else None


def _last(file: Path) -> int | None:
    try:
        return _whole(read_metrics(file)[1][-1]["meta_iteration"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _length(file: Path) -> int | None:
    try:
        return _whole(plain_yaml(file)["max_meta_iterations"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
