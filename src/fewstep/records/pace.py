"""progress.json in the folder of a run under way: how far it is and how fast, which
`fewstep status` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewstep.records.metrics import read_metrics
from fewstep.records.notes import read_note, write_note


RECORD = "progress.json"


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
        return Pace(**{name: _number(note, name) for name in Pace.__dataclass_fields__})
    return Pace(_last(folder / "metrics.csv"), _length(folder / "config.yaml"))


def _number(note: Mapping[str, Any], name: str) -> Any:
    value = note.get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _last(file: Path) -> int | None:
    try:
        return int(read_metrics(file)[1][-1]["meta_iteration"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _length(file: Path) -> int | None:
    import yaml

    try:
        content = yaml.load(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        length = content["max_meta_iterations"]
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None
    return length if isinstance(length, int) else None
