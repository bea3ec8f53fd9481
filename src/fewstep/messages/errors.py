"""What a user is told when something cannot run."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class ConfigError(ValueError):
    """A configuration that cannot run; its text is all that the user needs to see."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has no text."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def some(names: Sequence[object], most: int) -> str:
    """`a, b, c, ...`: the first of several names."""
    return ", ".join(map(str, names[:most])) + (", ..." if len(names) > most else "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean x?`, or nothing where nothing is near."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.6)
    return f" Did you mean {names[near[0]]}?" if near else ""
