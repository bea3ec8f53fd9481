"""What a value in a results.json can be: a test of each kind, and what it is called."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fewstep.config.limits import PROTOCOLS


MOST = 10**15
"""Of anything that is counted: a whole number of JSON may have more digits than a float holds."""
ROUNDING = 1e-6


def number(value: Any) -> bool:
    """Of either kind that JSON has, and no larger than can be computed with."""
    if isinstance(value, float):
        return True
    return whole(value) and abs(value) <= MOST


def whole(value: Any) -> bool:
    """And neither of the truth values, which Python counts as such."""
    return isinstance(value, int) and not isinstance(value, bool)


def measured(value: Any) -> bool:
    """Null where a run diverged."""
    return value is None or (number(value) and math.isfinite(value))


def counted(value: Any) -> bool:
    """A count, of anything."""
    return whole(value) and 0 <= value <= MOST


def some(value: Any) -> bool:
    """A count of what there must be."""
    return counted(value) and value >= 1


def width(value: Any) -> bool:
    """Of an interval, or a time; null where nothing was measured."""
    return measured(value) and (value is None or value >= 0)


def share(value: Any) -> bool:
    """An accuracy; a mean of floats may end a rounding above 1."""
    return measured(value) and (value is None or -ROUNDING <= value <= 1 + ROUNDING)


def text(value: Any) -> bool:
    """Of any length."""
    return isinstance(value, str)


def node(value: Any) -> bool:
    """What has keys."""
    return isinstance(value, Mapping)


def inside(value: Any) -> bool:
    """A path that stays in the run directory."""
    return text(value) and not Path(value).is_absolute() and ".." not in Path(value).parts


def protocol(value: Any) -> bool:
    """One that there is: of another one no table has a column, and no curve a style."""
    return text(value) and value in PROTOCOLS


Check = Callable[[Any], bool]

NOUNS: dict[Check, str] = {
    whole: "a whole number",
    counted: "a whole number of at least 0",
    some: "a whole number of at least 1",
    measured: "a number or null",
    width: "a number of at least 0 or null",
    share: "a number from 0 to 1 or null",
    text: "a text",
    node: "a dictionary",
    inside: "a path in the run directory",
    protocol: f"one of {', '.join(PROTOCOLS)}",
}
