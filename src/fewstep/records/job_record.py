"""job.json in the folder of a sweep's job: what became of it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from fewstep.disk.files import CannotWrite, replacing


RECORD = "job.json"
"""What became of a job: its `state`, `finished` or `failed`; the `reason`; its `objective`."""


def write_record(
    folder: Path, state: str, reason: str | None = None, objective: float | None = None
) -> None:
    """Say what became of a job; on a full disk that goes unsaid, and no result says enough."""
    content = {"state": state, "reason": reason, "objective": objective}
    with suppress(CannotWrite), replacing(folder / RECORD) as aside:
        aside.write_text(json.dumps(content, indent=1) + "\n")


def read_record(folder: Path) -> dict[str, Any]:
    """What became of a job; empty where nothing has yet."""
    try:
        content = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
