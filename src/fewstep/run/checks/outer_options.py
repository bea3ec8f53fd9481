"""Whether the options of an outer optimizer are of the kinds that it computes with.

An optimizer itself refuses some of them: SGD takes a momentum that is not a number, and Adam goes
uphill where `maximize` is a text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from fewstep.config.checks import Check
from fewstep.messages.errors import ConfigError


OURS = {"lr": "the rate is its own key", "params": "the outer step moves the network's own"}
"""What an optimizer is given by others than its options."""


def check_options(optimizer: Callable[..., Any], options: Mapping[str, Any], key: str) -> None:
    """Hold options against what they are where nobody gives them: truth values, finite numbers, or
    as many of these; `key` is the outer step's.

    Raises:
        ConfigError: naming the option, the value, what it must be and the fix.
    """
    for name in OURS.keys() & options.keys():
        instead = f"Give {key}.lr instead" if name == "lr" else "Leave it out"
        raise ConfigError(f"{key}.options.{name}={options[name]}: {OURS[name]}. {instead}")
    usual = _defaults(optimizer)
    for name, value in options.items():
        if value is None or name not in usual or (kind := _kind(usual[name])) is None:
            continue
        if complaint := _complaint(value, usual[name], kind):
            raise ConfigError(
                f"{key}.options.{name}={value}: must be {complaint}. For example "
                f"+{key}.options.{name}={_written(usual[name])}"
            )


def _defaults(optimizer: Callable[..., Any]) -> dict[str, Any]:
    """Of its arguments; none where it does not say them."""
    try:
        parameters = inspect.signature(optimizer).parameters
    except (TypeError, ValueError):
        return {}
    return {name: parameter.default for name, parameter in parameters.items()}


def _kind(usual: Any) -> Check | None:
    """What an option, or each number of one, must be; None where that does not follow."""
    if isinstance(usual, tuple):
        return Check(float) if usual and all(map(_is_number, usual)) else None
    if isinstance(usual, bool):
        return Check(bool)
    return Check(float) if _is_number(usual) else None


def _is_number(value: Any) -> bool:
    return Check(float).complaint(value) is None


def _complaint(value: Any, usual: Any, kind: Check) -> str:
    """What a value must be and is not; empty where it is."""
    if not isinstance(usual, tuple):
        return "" if kind.complaint(value) is None else kind.limit
    several = isinstance(value, (list, tuple)) and len(value) == len(usual)
    return "" if several and all(map(_is_number, value)) else f"{len(usual)} numbers"


def _written(usual: Any) -> str:
    return f"[{','.join(map(str, usual))}]" if isinstance(usual, tuple) else str(usual).lower()
