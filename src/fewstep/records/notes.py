"""Small records beside a run: a dictionary in a JSON file, and nothing lost where there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fewstep.disk.files import CannotWrite, replacing
from fewstep.disk.plain import plain_json


def read_note(file: Path) -> dict[str, Any]:
    """What the file says; empty where it is not there, or is no such record."""
    try:
        content = plain_json(file)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_note(file: Path, content: Mapping[str, Any]) -> None:
    """Write it whole; on a full disk it goes unsaid, and can be found out in other ways."""
    with suppress(CannotWrite), replacing(file) as aside:
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
