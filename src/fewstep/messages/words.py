"""Words for a command line that mean, through the shell and Hydra's grammar, what they are to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any


def overridden(word: str) -> str:
    """The key that an override sets, adds or takes away: `a.b` of `+a.b=1`."""
    return word.lstrip("+~").partition("=")[0]


def quoted(text: str) -> str:
    """A text as Hydra's grammar takes it, whatever is in it, and OmegaConf leaves it."""
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    text = re.sub(r"(\\*)'", r"\1\1\'", text)
    return "'" + re.sub(r"(\\+)\Z", r"\1\1", text) + "'"


def typed(key: str, value: Any) -> str:
    """The word to type in a shell for `key` to be `value`, as plain as it can be."""
    if not isinstance(value, str):
        return shlex.quote(f"{key}={_grammar(value)}")
    plain = f"{key}={value}"
    if _means(plain, value) and shlex.quote(plain) == plain:
        return plain
    if "'" not in value and _means(f'{key}="{value}"', value):
        return f"{key}='\"{value}\"'"
    return shlex.quote(f"{key}={quoted(value)}")


def _grammar(value: Any) -> str:
    """A value of whatever kind in Hydra's grammar."""
    if isinstance(value, str):
        return value if _means(f"x=[{value}]", [value]) else quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_grammar(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_grammar, value)) + "]"
    return "null" if value is None else str(value).lower()


def _means(word: str, value: Any) -> bool:
    if "${" in word:  # which OmegaConf would follow
        return False
    from hydra.core.override_parser.overrides_parser import OverridesParser  # a report needs none
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(word).value() == value
    except (HydraException, ValueError):
        return False
