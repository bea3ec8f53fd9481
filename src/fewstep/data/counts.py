"""Whole numbers, in whatever form programs hold them."""

from __future__ import annotations

import operator
from typing import Any


def whole(name: str, value: Any) -> int:
    """A whole number of any kind, NumPy's included, as Python's own, which does not overflow.

    Raises:
        ValueError: another value, by its name.
    """
    if type(value) is int:
        return value
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise ValueError(f"{name}={value!r}: must be a whole number")
