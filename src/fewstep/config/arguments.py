"""The words of a command line: flags, overrides, the combinations of a sweep."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from fewstep.config.groups import groups, options
from fewstep.messages.errors import ConfigError, first_line
from fewstep.messages.printable import printable
from fewstep.messages.words import typed


SWEEP = ("-m", "--multirun")
SHOW = ("-c", "--cfg", "-p", "--package", "--resolve", "--hydra-help")
"""Hydra's flags that print something and run nothing."""
NULLABLE = ("experiment", "sweep", "variant")
"""Groups of which no option need be chosen."""
VALUED = {"-c": "job, hydra or all", "--cfg": "job, hydra or all"}
VALUED |= {"-p": "a part of the configuration", "--package": "a part of the configuration"}


@dataclass(frozen=True)
class Arguments:
    """A command line that can be handed to Hydra."""

    flags: list[str]
    """With their values; Hydra's parser wants them first."""
    overrides: list[str]
    sweep: bool = False
    shows: bool = False
    """Print a configuration, run nothing."""


def read(command: str, words: Sequence[str]) -> Arguments:
    """Sort the words of `fewstep COMMAND`.

    Raises:
        ConfigError: a flag that does not exist, a word that is not key=value, or a value that
            cannot be parsed.
    """
    overrides, flags, rest = [], [], iter(words)
    for word in rest:
        flag, _, value = word.partition("=")
        if not word.startswith("-"):
            overrides.append(word)
            continue
        _check_flag(command, flag)
        flags.append(flag)
        if value and flag not in VALUED:
            raise ConfigError(f"{word}: {flag} takes no value. Give it as {flag} alone")
        if flag in VALUED:
            value = value or next(rest, "")
            if not value:
                raise ConfigError(f"{flag} needs a value: {VALUED[flag]}")
            flags.append(value)
    shows, sweep = (any(flag in kind for flag in flags) for kind in (SHOW, SWEEP))
    named = any(re.fullmatch(r"sweep=(?!null$).+", word) for word in overrides)
    if named and not sweep and not shows:
        flags.append("--multirun")
    for word in overrides:
        _check_override(command, word, sweep or named)
    return Arguments(flags, overrides, sweep or named, shows)


def combinations(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of each run of a sweep, in Hydra's order; none for a sweep over intervals,
    whose values another sweeper chooses as it goes.

    Raises:
        ConfigError: an axis without a value, as `range(1,1)`.
    """
    axes: dict[str, list[str]] = {}
    for override in map(parsed, overrides):
        key = override.get_key_element()
        if not override.is_sweep_override():
            axes[key] = [override.input_line or ""]
        elif override.is_discrete_sweep():
            axes[key] = [f"{key}={value}" for value in _values(override)]
            if not axes[key]:
                raise ConfigError(
                    f"{override.input_line}: has no value, so that no job would run. Give it at "
                    f"least one, as {key}=..."
                )
        else:
            return
    yield from (list(chosen) for chosen in itertools.product(*axes.values()))


def check_values_differ(overrides: Sequence[str]) -> None:
    """Refuse an axis that has a value twice: its jobs would be run twice, and counted as two.

    Raises:
        ConfigError: naming the axis and the value.
    """
    for override in map(parsed, overrides):
        if not override.is_discrete_sweep():
            continue
        values = list(_values(override))
        if again := [v for place, v in enumerate(values) if v in values[:place]]:
            raise ConfigError(
                f"{override.input_line}: has {printable(again[0])} twice, and a sweep runs no job "
                "twice. Leave one of them out"
            )


def fixed(overrides: Sequence[str]) -> list[str]:
    """The overrides that hold for a sweep as a whole."""
    return [word for word in overrides if not parsed(word).is_sweep_override()]


def names(overrides: Sequence[str]) -> list[str]:
    """The keys and groups that overrides set."""
    return [str(parsed(word).key_or_group) for word in overrides]


def _check_flag(command: str, flag: str) -> None:
    if flag not in (*SWEEP, *SHOW):
        raise ConfigError(
            f"{flag}: there is no such flag. Settings are given as key=value; "
            f"`fewstep {command} --help` lists them"
        )


def _check_override(command: str, word: str, sweep: bool) -> None:
    if "=" not in word and not word.startswith("~"):
        near = [f"{group}={word}" for group in groups() if word in options(group)]
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"{word}: settings are given as key=value, for example seed=1.{hint} "
            f"`fewstep {command} --help` lists the keys"
        )
    if word != word.encode(errors="ignore").decode():
        raise ConfigError(f"{word!a}: is no UTF-8 text. For example name=my_run")
    override, (key, _, value) = parsed(word), word.partition("=")
    if override.is_sweep_override():
        if sweep and override.key_or_group == "sweep":
            raise ConfigError(
                f"{word}: one sweep at a time. For example sweep={value.split(',')[0]}"
            )
        if sweep:
            return
        raise ConfigError(
            f"{word}: several values need a sweep. Use fewstep {command} -m "
            f"{shlex.quote(word)}, or quote what is one value: {typed(key, value)}"
        )
    group = override.key_or_group
    one = override.is_delete() or (isinstance(override.value(), str) and override.value())
    if group in groups() and group not in NULLABLE and not one:
        raise ConfigError(f"{word}: must be one option of {', '.join(options(group))}")


def parsed(word: str) -> Override:
    """One override, as Hydra reads it.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        key, _, value = word.partition("=")
        raise ConfigError(
            f"{word}: cannot be parsed ({first_line(error)}). Close its brackets, or "
            f"quote it if it is a text: {typed(key, value)}"
        ) from None
    if not override.key_or_group:
        raise ConfigError(f"{word}: has no key in front of the =. For example seed=1")
    return override


def _values(override: Override) -> Iterator[str]:
    value = override.value()
    if isinstance(value, Glob):
        return iter(value.filter(options(override.key_or_group)))
    return override.sweep_string_iterator()
