"""Settings that a user gives from Python."""

from __future__ import annotations

from operator import index
from typing import Any

from fewstep.messages.errors import ConfigError


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of Python's or NumPy's, as `np.arange` gives a search its values.

    Raises:
        ConfigError: it is none, or less than `least`.
    """
    try:
        number = least - 1 if isinstance(value, bool) else index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ConfigError(f"{name}={value}: must be a whole number of at least {least}")
    return number
