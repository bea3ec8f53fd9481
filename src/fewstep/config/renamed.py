"""What commit 43e8be0 wrote, read with today's words (`records.older` has what later ones added).

Its run directories and checkpoints are evaluated, reported and resumed. Stored configurations pass
through `current` wherever they are read; what they lack is what that commit did without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


MOVED = {"dashboard": "loggers.dashboard", "rules": "core.rules", "patches": "models.patches"}
"""Modules of fewstep whose classes a stored configuration may name, and where they are now."""

SINCE = {"label": None, "point": None, "budget": None, "init": None, "init_sha256": None}
SINCE |= {"manifest_sha256": None, "pictures": []}
"""Keys that a stored configuration may lack, and what it meant without them."""


def current(config: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration in today's words; what it is read from is left as it is."""
    return {**SINCE, **_renamed(config)}


def renamed(path: str) -> str:
    """Where a dotted path leads today."""
    first, *rest = path.removeprefix("fewstep.").split(".")
    if not path.startswith("fewstep.") or first not in MOVED:
        return path
    return ".".join(["fewstep", MOVED[first], *rest])


def renamed_word(word: str) -> str:
    """A stored override, with the dotted paths in its value as they lead today."""
    return re.sub(r"\bfewstep\.[\w.]+", lambda found: renamed(found[0]), word)


def _renamed(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {name: _renamed(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_renamed(value) for value in node]
    return renamed(node) if isinstance(node, str) else node
