"""Tab completion: `eval "$(fewstep completion bash)"`, which asks `fewstep completion query`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module

from omegaconf import DictConfig

from fewstep.commands.evaluate import BESIDE
from fewstep.commands.front import reading
from fewstep.config.checks import OneOrMore, flatten
from fewstep.config.compose import compose_config, compose_hydra, plain
from fewstep.config.evaluation import EVALUATE
from fewstep.config.flags import BESIDE_CFG, CFG, PRINTED, SHOWS, SWEEP
from fewstep.config.groups import groups, options
from fewstep.config.limits import EVAL, RUN, TRAIN
from fewstep.messages.errors import ConfigError


TABLES = ("adapt", "predict", "export", "draw", "status", "theory")
"""Commands whose keys stand in a table of their own."""
READERS = ("adapt", "predict")
"""Those of them that take the keys by which pictures are read."""


def query(line: str, commands: Iterable[str]) -> list[str]:
    """What the last word of a command line may become; nothing where files may follow."""
    words = line.split(" ")
    command, word = words[1] if len(words) > 2 else "", words[-1]
    if len(words) < 3:
        return [f"{name} " for name in commands if name.startswith(word)]
    if words[-2] in CFG:
        return [f"{name} " for name in _begun(PRINTED, word)]
    if word.startswith("-"):
        return _flags(command, word)
    key, equals, value = word.partition("=")
    if command == "cache":
        return _cleared(value) if key == "clear" and equals else _begun(["clear="], word)
    if command in TABLES:
        return _of_table(command, word)
    if command not in ("train", "evaluate", "episodes", "bench"):
        return []
    own = import_module("fewstep.commands.episodes").KEYS if command == "episodes" else {}
    if equals and key in own:
        return [f"{key}={choice} " for choice in _begun(own[key].choices, value)]
    if equals:
        before, comma, last = value.rpartition(",")  # of a sweep's axis
        left = [name for name in _choices(key) if name not in before.split(",")]
        return [f"{key}={before}{comma}{name} " for name in _begun(left, last)]
    overrides = [w for w in words[2:-1] if "=" in w and w.partition("=")[0] not in own]
    found = _keys("evaluate" if command == "evaluate" else "train", overrides, word)
    return [*_begun([f"{name}=" for name in own], word), *found]


def _flags(command: str, word: str) -> list[str]:
    """The long flags of a command: those of Hydra's that are taken, or that its help names."""
    found = {*SWEEP, *CFG, *BESIDE_CFG} if command in SHOWS else set()
    if command not in (*SHOWS, "bench"):  # whose help is of another's flags
        with suppress(ImportError, AttributeError):
            text = import_module(f"fewstep.commands.{command}").help_text()
            found = {*re.findall(r"--[a-z-]+", text)}
    return [f"{flag} " for flag in sorted(found) if flag[:2] == "--" and flag.startswith(word)]


def _of_table(command: str, word: str) -> list[str]:
    """Keys, or the values of one, of a command that has them in a table; parts that need no key."""
    module = import_module(f"fewstep.commands.{command}")
    keys = reading(module.KEYS) if command in READERS else module.KEYS
    key, equals, value = word.partition("=")
    if not equals:
        parts = [f"{part} " for part in getattr(module, "PARTS", ())]
        return _begun([*parts, *(f"{name}=" for name in keys)], word)
    choices = keys[key].choices if key in keys else ()
    return [f"{key}={choice} " for choice in _begun(choices, value)]


def _begun(words: Iterable[str], start: str) -> list[str]:
    return [word for word in words if word.startswith(start)]


def _cleared(value: str) -> list[str]:
    """What `fewstep cache clear=` may be followed by."""
    from fewstep.disk.cache.cache import cache_dir
    from fewstep.disk.cache.contents import contents

    try:
        found = contents(cache_dir())
    except ConfigError:  # of a home folder that is not known
        found = ()
    kept = {name for one in found for name in (one.dataset, one.name)}
    return [f"clear={word} " for word in _begun(["all", "invalid", *sorted(kept)], value)]


def _choices(key: str) -> list[str]:
    if key in groups():
        return options(key)
    check = {**EVALUATE, **TRAIN, **RUN, **EVAL}.get(key)
    if check is None:
        return []
    words = [check.whole if isinstance(check, OneOrMore) else check.word]
    words += ["true", "false"] if check.kind is bool else check.choices
    return [word for word in words if word]


def _composed(command: str, overrides: list[str], hydra: bool) -> DictConfig:
    if hydra:
        return compose_hydra(command, overrides)
    return compose_config(command, overrides, complete=False)


def _keys(command: str, overrides: list[str], word: str) -> list[str]:
    """Groups, and keys as far as the next dot: `alg` becomes `algorithm=` or `algorithm.`"""
    hydra = word.startswith("hydra.")
    try:
        config = _composed(command, overrides, hydra)
    except ConfigError:
        config = _composed(command, [], hydra)
    found = {f"{group}=" for group in groups() if command == "train" or group in config}
    depth = word.count(".") + 1
    for key, _ in flatten(plain(config, resolve=False)):
        parts = key.split(".")
        end = "." if len(parts) > depth else "="
        found.add(".".join(parts[:depth]) + end)
    aside = BESIDE if command == "evaluate" else ()
    own = (name for name in found if re.split("[.=]", name)[0] not in aside)
    return sorted(name for name in own if name.startswith(word))
