"""What an option of a dataset may be, where the kind of its value does not say it all.

A message names the key, its value, the limit and an example; a `key` is without its `dataset.`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any


Fits = Callable[[Any], bool]

MOST = 1 << 20
"""Of whatever a task is counted by: no memory holds tasks of more."""


def is_integer(value: Any) -> bool:
    """Whether it is a whole number."""
    return type(value) is int


def is_count(value: Any) -> bool:
    """Whether it is a whole number above 0, of which there may be so many."""
    return is_integer(value) and 0 < value <= MOST


def is_positive(value: Any) -> bool:
    """Whether it is a finite number above 0."""
    return type(value) in (int, float) and 0 < value < math.inf


def is_share(value: Any) -> bool:
    """Whether it is a number above 0 and at most 1."""
    return is_positive(value) and value <= 1


def is_text(value: Any) -> bool:
    """Whether it is a text."""
    return isinstance(value, str)


def is_mapping(value: Any) -> bool:
    """Whether it has keys of its own."""
    return isinstance(value, Mapping)


def some(fits: Fits, least: int = 1, most: int = MOST) -> Fits:
    """Whether a value is a list of so many entries, each of which fits."""

    def hold(value: Any) -> bool:
        listed = isinstance(value, (list, tuple))
        return listed and least <= len(value) <= most and all(map(fits, value))

    return hold


def must_be(key: str, value: Any, fits: Fits, what: str, usual: str) -> None:
    """Raise ValueError where a value does not fit."""
    if not fits(value):
        shown = [*value] if isinstance(value, tuple) else "null" if value is None else value
        raise ValueError(
            f"dataset.{key}={shown}: must be {what}. For example dataset.{key}={usual}"
        )


def check_count(key: str, value: int, usual: Any, least: int = 1, most: int = MOST) -> None:
    """Raise ValueError where a whole number is beyond its limits."""
    if not least <= value <= most:
        limit = f"at least {least}" if value < least else f"at most {most}"
        raise ValueError(
            f"dataset.{key}={value}: must be {limit}. For example dataset.{key}={usual}"
        )
