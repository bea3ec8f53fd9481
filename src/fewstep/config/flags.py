"""The flags of a command line: `-m` of a sweep, and Hydra's that print a configuration."""

from __future__ import annotations

from collections.abc import Sequence

from fewstep.messages.errors import ConfigError, did_you_mean


SWEEP = ("-m", "--multirun")
CFG = ("-c", "--cfg")
PRINTED = ("job", "hydra", "all")
"""What `--cfg` may be asked to print."""
BESIDE_CFG = ("-p", "--package", "--resolve")
"""How `--cfg` is to print it; alone Hydra takes them for nothing, and runs."""
SHOW = (*CFG, *BESIDE_CFG, "--hydra-help")
"""Hydra's flags that print something and run nothing."""
VALUED = {flag: "job, hydra or all" for flag in CFG}
VALUED |= {flag: "a part of the configuration" for flag in BESIDE_CFG[:2]}
SHOWS = ("train", "evaluate")
"""Commands that print their configuration."""


def split(command: str, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags of a command line, with their values, and its other words.

    Raises:
        ConfigError: a flag that does not exist, that has no value or one that cannot be, or that
            changes nothing without another.
    """
    flags: dict[str, str] = {}
    others, rest = [], iter(words)
    for word in rest:
        flag, _, value = word.partition("=")
        if not word.startswith("-"):
            others.append(word)
            continue
        if flag not in (*SWEEP, *SHOW):
            raise ConfigError(
                f"{flag}: there is no such flag. Settings are given as key=value; "
                f"`fewstep {command} --help` lists them"
            )
        if value and flag not in VALUED:
            raise ConfigError(f"{word}: {flag} takes no value. Give it as {flag} alone")
        if flag in VALUED:
            value = value or next(rest, "")
            if not value:
                raise ConfigError(f"{flag} needs a value: {VALUED[flag]}")
            if any(VALUED.get(other) == VALUED[flag] for other in flags):
                raise ConfigError(f"{flag} {value}: {flag} is given twice. Leave one of them out")
        flags[flag] = value
    if command in SHOWS:
        _check_shown(command, flags)
    return [word for pair in flags.items() for word in pair if word], others


def _check_shown(command: str, flags: dict[str, str]) -> None:
    printed = [flag for flag in flags if flag in CFG]
    for flag in printed:
        if flags[flag] not in PRINTED:
            hint = did_you_mean(flags[flag], PRINTED)
            raise ConfigError(
                f"{flag} {flags[flag]}: must be one of {', '.join(PRINTED)}.{hint} For example "
                f"{flag} job"
            )
    if "--resolve" in flags and "hydra" in map(flags.get, printed):
        raise ConfigError(
            "--resolve: Hydra's part follows keys of the job, which --cfg hydra leaves out. Use "
            "--cfg all --resolve"
        )
    for flag in flags:
        if flag in BESIDE_CFG and not printed:
            given = f"{flag} {flags[flag]}".strip()
            raise ConfigError(
                f"{given}: goes with --cfg job, which prints the configuration and runs nothing. "
                f"For example fewstep {command} --cfg job {given}"
            )
