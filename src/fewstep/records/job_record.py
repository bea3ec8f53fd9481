"""job.json in the folder of a sweep's job: what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fewstep.records.notes import read_note, write_note
from fewstep.records.results import finite_only


RECORD = "job.json"
"""What became of a job: its `state`, `finished`, `failed` or `stopped`; the `reason`; its
`objective`."""

CUT_SHORT = "stopped before its end"
"""The reason of a job that was told to stop."""


def write_record(
    folder: Path, state: str, reason: str | None = None, objective: float | None = None
) -> None:
    """Say what became of a job, whose objective is none where it is not finite; on a full disk that
    goes unsaid, and no result says enough."""
    content = {"state": state, "reason": reason, "objective": finite_only(objective)}
    write_note(folder / RECORD, content)


def read_record(folder: Path) -> dict[str, Any]:
    """What became of a job; empty where nothing has yet."""
    found = read_note(folder / RECORD)
    if found.get("reason") == CUT_SHORT:  # which older records call a failure
        found["state"] = "stopped"
    return found
