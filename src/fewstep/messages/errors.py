"""What a user is told when something cannot run."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(ValueError):
    """A configuration that cannot run; its text is all that the user needs to see."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean x?`, or nothing where nothing is near."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.6)
    return f" Did you mean {names[near[0]]}?" if near else ""
