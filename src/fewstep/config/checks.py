"""What each configuration key may be, and how to say so when it is not.

A message names the key, the value, the limit and the fix, before anything is written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fewstep.messages.errors import ConfigError, did_you_mean


NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
LARGEST = 2**63 - 1
"""What a 64-bit whole number holds."""


@dataclass(frozen=True)
class Check:
    """The values one key may take."""

    kind: type
    """int, float, bool or str."""
    low: float | None = None
    above: float | None = None
    """An open lower limit, where `low` is a closed one."""
    below: float | None = None
    """An open upper limit."""
    choices: tuple[str, ...] = ()
    optional: bool = False
    word: str = ""
    """A word in the place of a number."""
    example: Any = None
    note: str = ""
    """Why the limit is there, for those who ask themselves."""

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        if (value is None and self.optional) or (self.word and value == self.word):
            return None
        if self._fits(value):
            return None
        written = written_out(value) if self.kind is int else ""
        note = f" ({self.note})" if self.note else ""
        return f"must be {self._limit(isinstance(value, int) and value > LARGEST)}{note}{written}"

    @property
    def limit(self) -> str:
        """What it may be, for the reference."""
        return self._limit(too_large=False)

    def _fits(self, value: Any) -> bool:
        if self.choices:
            return str(value) in self.choices
        if self.kind is str:
            return isinstance(value, str) and bool(value)
        if self.kind is bool:
            return isinstance(value, bool)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if (self.kind is int and not isinstance(value, int)) or not math.isfinite(value):
            return False
        if isinstance(value, int) and abs(value) > LARGEST:  # which no tensor takes
            return False
        if self.below is not None and value >= self.below:
            return False
        return (self.low is None or value >= self.low) and (
            self.above is None or value > self.above
        )

    def _limit(self, too_large: bool) -> str:
        if self.choices:
            limit = f"one of {', '.join(self.choices)}"
        else:
            limit = NOUNS[self.kind]
            limit += "" if self.low is None else f" of at least {self.low:g}"
            limit += "" if self.above is None else f" above {self.above:g}"
            limit += "" if self.below is None else f" and below {self.below:g}"
            limit += f" and at most {LARGEST}" if self.kind in (int, float) and too_large else ""
        more = [self.word] * bool(self.word) + ["null"] * self.optional
        return " or ".join([", ".join([limit, *more[:-1]]), *more[-1:]])


@dataclass(frozen=True)
class OneOrMore(Check):
    """One of some names, a list of them, or the name of what is usual."""

    kind: type = str
    whole: str = ""
    """A name that stands for a list."""

    def _fits(self, value: Any) -> bool:
        if isinstance(value, str):
            return value in (self.whole, *self.choices)
        known = isinstance(value, list) and all(name in self.choices for name in value)
        return known and 0 < len(value) == len(set(value))

    def _limit(self, too_large: bool) -> str:
        return f"{self.whole}, one of {', '.join(self.choices)}, or a list of these"


def count(low: int, example: int, optional: bool = False) -> Check:
    """A whole number of at least `low`."""
    return Check(int, low=low, example=example, optional=optional)


SETTING = {
    "shots": count(1, 1),
    "steps": count(0, 50),
    "batch_size": count(1, 5, optional=True),
}
"""The keys of one entry of `eval.settings`."""
WAYS = count(2, 20)
"""And one that it may have, else its tasks have shots.ways."""


def written_out(value: Any) -> str:
    """How to give the whole number that a text like 1e9, a fraction to YAML, was meant to be."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST
    return f", written out as {int(value)}" if whole else ""


def flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`("a.b", value)` for every leaf of nested mappings; lists are leaves."""
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def check_values(
    config: Mapping[str, Any], table: Mapping[str, Check], optional: bool = False
) -> None:
    """Hold every key of a table against its limit; with `optional`, those that are there.

    Raises:
        ConfigError: a value of the wrong type or out of range, or a key that is not there.
    """
    values = dict(flatten(config))
    for key, check in table.items():
        below = {n[len(key) + 1 :]: v for n, v in values.items() if n.startswith(f"{key}.")}
        if key not in values and not below:
            if optional:
                continue
            raise ConfigError(f"{key} is missing. Give it, for example {key}={check.example}")
        value = values.get(key, below)  # keys in the place of a value are no value
        if complaint := check.complaint(value):
            raise ConfigError(f"{key}={value}: {complaint}. For example {key}={check.example}")


def check_names(prefix: str, config: Mapping[str, Any], known: Iterable[str]) -> None:
    """Hold the names of a part of the configuration against those that are read at all.

    A file may bring a name that a command line could not.

    Raises:
        ConfigError: naming the key that nothing reads, or one that is missing.
    """
    known = sorted(known)
    for name in config:
        if name not in known:
            hint = did_you_mean(str(name), known)
            raise ConfigError(
                f"{prefix}{name}={config[name]}: there is no key {prefix}{name}.{hint} "
                f"Known are {', '.join(known)}"
            )
    for name in known:
        if name not in config:
            raise ConfigError(f"{prefix}{name} is missing: an override or a file has removed it")


def check_settings(settings: Any, ways: Any = None) -> None:
    """Hold `eval.settings` against its limits, each entry by its position; `ways` are those of an
    entry that says none.

    Raises:
        ConfigError: not a list of {shots, steps, batch_size}, or a value out of range.
    """
    fix = "For example eval.settings='[{shots: 1, steps: 50, batch_size: 5}]'"
    if not isinstance(settings, list) or not settings:
        raise ConfigError(f"eval.settings={settings}: must be a list of settings. {fix}")
    for place, setting in enumerate(settings):
        key = f"eval.settings[{place}]"
        if not isinstance(setting, Mapping) or set(setting) - {"ways"} != set(SETTING):
            raise ConfigError(f"{key}={setting}: must have {', '.join(SETTING)}. {fix}")
        for name, check in ({**SETTING, "ways": WAYS} if "ways" in setting else SETTING).items():
            if complaint := check.complaint(setting[name]):
                raise ConfigError(f"{key}.{name}={setting[name]}: {complaint}. {fix}")
        same = [{"ways": ways, **other} == {"ways": ways, **setting} for other in settings[:place]]
        if any(same):
            first = same.index(True)
            raise ConfigError(
                f"{key}={setting}: is eval.settings[{first}] again. Leave one of them out"
            )
