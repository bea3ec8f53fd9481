"""The command line of a command whose keys stand in no configuration file."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewstep.config.checks import Check
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.messages.printable import printable


@dataclass(frozen=True)
class Key:
    """One key of a command."""

    what: str
    """What it is, for the help."""
    check: Check
    default: Any = None
    needed: bool = False
    choices: tuple[str, ...] = ()
    """Values to complete; others may be right too."""


Keys = Mapping[str, Key]

WORDS = {"true": True, "false": False, "null": None}


def read(command: str, keys: Keys, words: Sequence[str], many: str | None = None) -> dict[str, Any]:
    """The values of a command line by key, those that are not given by default.

    Args:
        command: its name.
        keys: those that it has.
        words: `key=value` each.
        many: a key with a list of texts as its value: `key=a,b`, and words that are no `key=value`
            belong to it.

    Raises:
        ConfigError: a key that is unknown, missing or given twice, or a value out of range.
    """
    given: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if many and (name == many or (many in given and _is_more(word, name, keys))):
            before = given.setdefault(many, [])
            before += _texts(text) if name == many else [word]
            continue
        if name not in keys or not equals:
            hint = did_you_mean(name, keys)
            raise ConfigError(
                f"{printable(word)}: fewstep {command} takes key=value, and knows "
                f"{', '.join(keys)}.{hint}"
            )
        if name in given:
            raise ConfigError(f"{printable(word)}: {name} is given twice. Leave one of them out")
        given[name] = _value(name, text, keys[name].check)
    for name, key in keys.items():
        if name not in given and key.needed:
            raise ConfigError(f"{name} is missing: {key.what}. Give it, as {name}=...")
    return {name: given.get(name, key.default) for name, key in keys.items()}


def help_of(keys: Keys, about: str, examples: str) -> str:
    """What the `--help` of a command with these keys prints."""
    width = max(map(len, keys)) + 1
    lines = [about.strip(), "", "Keys"]
    for name, key in keys.items():
        default = "" if key.needed or key.default is None else f" [{_shown(key.default)}]"
        lines.append(f"  {name + '=':<{width}} {key.what}{default}")
    return "\n".join([*lines, "", "Examples", examples.rstrip()]) + "\n"


def _value(name: str, text: str, check: Check) -> Any:
    value: Any = WORDS.get(text, text) if check.kind is not str or check.optional else text
    if check.kind in (int, float) and isinstance(value, str):
        for kind in (int, float):
            try:
                value = kind(text)
                break
            except ValueError:
                continue
    if complaint := check.complaint(value):
        example = "..." if check.example is None else check.example
        raise ConfigError(f"{name}={printable(text)}: {complaint}. For example {name}={example}")
    return value


def _is_more(word: str, name: str, keys: Keys) -> bool:
    """Whether a word goes on with the key of many: it is no key of ours, well spelled or not."""
    looks_like_one = "=" in word and (name in keys or bool(did_you_mean(name, keys)))
    return not looks_like_one or (name not in keys and os.path.exists(word))


def _texts(text: str) -> list[str]:
    """`a,b` or `[a,b]`; a comma in a name is written `\\,`, unless there is such a file."""
    if os.path.exists(os.path.expanduser(text)):
        return [text]
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    parts = inner.replace("\\,", "\0").split(",")
    return [part.strip().replace("\0", ",") for part in parts if part.strip()]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and math.isfinite(value) else str(value)
