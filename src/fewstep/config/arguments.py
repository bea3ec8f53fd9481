"""The words of a command line: flags, overrides, the combinations of a sweep."""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from fewstep.config.flags import SHOW, SHOWS, SWEEP, split
from fewstep.config.groups import groups, options
from fewstep.messages.errors import ConfigError, first_line
from fewstep.messages.printable import printable
from fewstep.messages.words import typed


NULLABLE = ("experiment", "sweep", "variant")
"""Groups of which no option need be chosen."""
ABOUT_SWEEPS = ("hydra/launcher", "hydra/sweeper", "hydra.launcher", "hydra.sweeper", "hydra.mode")
"""Where Hydra is told how the jobs of a sweep are chosen and run."""


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
    flags, overrides = split(command, words)
    shows, sweep = (any(flag in kind for flag in flags) for kind in (SHOW, SWEEP))
    named = any(re.fullmatch(r"sweep=(?!null$).+", word) for word in overrides)
    flags += ["--multirun"] * (named and not sweep and not shows)
    found = Arguments(flags, overrides, sweep or named, shows)
    given: dict[str, str] = {}
    for word in overrides:
        override = _checked(command, word, found)
        key = override.get_key_element().lstrip("+~")
        # A program adds words to its defaults, and the last counts; typed twice it is a slip.
        if key in given and {word, given[key]} <= {*sys.argv}:
            raise ConfigError(f"{printable(word)}: {key} is given twice. Leave one of them out")
        if not override.is_delete() and override.type.name != "EXTEND_LIST":  # of Hydra 1.4
            given[key] = word
    return found


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


def _checked(command: str, word: str, found: Arguments) -> Override:
    """One override of a command line with these flags, as Hydra reads it.

    Raises:
        ConfigError: a word that is not key=value, or a value that cannot be or would be ignored.
    """
    if "=" not in word and not word.startswith("~"):
        near = [f" Did you mean {g}={word}?" for g in groups() if word in options(g)]
        raise ConfigError(
            f"{word}: settings are given as key=value, for example seed=1.{''.join(near[:1])} "
            f"`fewstep {command} --help` lists the keys"
        )
    if word != word.encode(errors="ignore").decode():
        raise ConfigError(f"{word!a}: is no UTF-8 text. For example name=my_run")
    override = parsed(word)
    _check_group(word, override)
    if override.is_sweep_override():
        _check_axis(command, word, found, override.key_or_group)
    elif not found.sweep and not found.shows:
        _check_alone(command, word, override)
    return override


def _check_group(word: str, override: Override) -> None:
    group, value, taken = override.key_or_group, override.value(), override.is_delete()
    meant = group.replace(".", "/")
    if meant != group and meant in groups() and not taken and not isinstance(value, dict):
        meant = word.replace(group, meant, 1)
        raise ConfigError(f"{word}: a group is chosen with a slash. Did you mean {meant}?")
    one = taken or override.is_sweep_override() or (isinstance(value, str) and value)
    if group in groups() and group not in NULLABLE and not one:
        raise ConfigError(f"{word}: must be one option of {', '.join(options(group))}")


def _check_axis(command: str, word: str, found: Arguments, group: str) -> None:
    key, _, value = word.partition("=")
    if found.sweep and group == "sweep":
        raise ConfigError(f"{word}: one sweep at a time. For example sweep={value.split(',')[0]}")
    if found.shows:
        raise ConfigError(f"{word}: one job is printed. Give it one value, as {key}=...")
    if not found.sweep:
        raise ConfigError(
            f"{word}: several values need a sweep. Use fewstep {command} -m "
            f"{shlex.quote(word)}, or quote what is one value: {typed(key, value)}"
        )


def _check_alone(command: str, word: str, override: Override) -> None:
    """Refuse what a single run ignores: a login node is no place for what was meant for SLURM."""
    part = ".".join(override.key_or_group.split(".")[:2])
    if part in ABOUT_SWEEPS and override.value() != "basic":
        more = ", or make it a sweep with -m" if command in SHOWS else ""
        raise ConfigError(
            f"{word}: is for the jobs of a sweep, and this is a single run, which runs here. Leave "
            f"it out{more}"
        )


def parsed(word: str) -> Override:
    """One override, as Hydra reads it.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        key, _, value = word.partition("=")
        if "/" in key and "." in key:
            meant = f"{key.replace('/', '.')}={value}"
            raise ConfigError(f"{word}: a key has dots. Did you mean {meant}?") from None
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
