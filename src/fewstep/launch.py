"""From a command line to a run directory: everything that can be refused is refused first.

Hydra makes the run directory before our code runs, so configuration, data and checkpoints are
settled here, before Hydra is asked to start.
"""

from __future__ import annotations

import itertools
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fewstep.arguments import Arguments, combinations, fixed, read
from fewstep.checks import ConfigError
from fewstep.compose import compose_config, conf_dir, quoted, search_path, sweep_dir
from fewstep.guide import guide
from fewstep.ranks import outside


Config = dict[str, Any]

FULL_ERROR = "HYDRA_FULL_ERROR"
"""The variable by which Hydra lets an exception through instead of printing it."""

HELP = ("-h", "--help")

CHECKED = 100
"""Combinations of a sweep that are checked before the first one runs: some seconds at most."""


@dataclass(frozen=True)
class Command:
    """What `launch` needs to know of a command."""

    name: str
    """Of the command and of its configuration."""
    check: Callable[[Config], None]
    """Refuses a configuration by itself, raising `ConfigError`; opens no file."""
    settle: Callable[[Config], Mapping[str, str]]
    """Refuses what cannot run, data and checkpoints included; overrides to add, by key."""
    job: Callable[[Config, Path, str], Any]
    """Runs in a run directory, given the resolved configuration and the user's command line."""
    prepare: Callable[[Arguments], Arguments] = lambda arguments: arguments
    """Adds to the arguments what follows from them."""


def plain(config: DictConfig) -> Config:
    """The resolved configuration as plain dictionaries and lists."""
    return OmegaConf.to_container(config, resolve=True)  # pyright: ignore[reportReturnType]


def launch(command: Command, words: Sequence[str]) -> int:
    """Run a command with the words of its command line and return its exit status."""
    if any(word in HELP for word in words):
        print(guide(command.name), end="")
        return 0
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # where a user's own algorithm.py may be
    try:
        arguments = command.prepare(read(command.name, words))
        added = _settled(command, arguments)
        line = shlex.join(["fewstep", command.name, *words])
        if (others := outside()) and others.rank > 0 and not arguments.shows:
            # Rank zero has the run directory, and Hydra would make another one here.
            config = compose_config(command.name, [*arguments.overrides, *added])
            command.job(plain(config), Path.cwd(), line)
            return 0
        sys.argv = [f"fewstep-{command.name}", *arguments.flags, *arguments.overrides]
        sys.argv += [*search_path(), *added]
        _hydra_main(command, line)
    except ConfigError as error:
        return complain(error)
    return 0


def complain(error: Exception) -> int:
    """Tell the user what to change, without a traceback; the exit status."""
    print(f"fewstep: {error}", file=sys.stderr)
    return 2


def _settled(command: Command, arguments: Arguments) -> list[str]:
    """Overrides to add, after everything was checked that can be checked before Hydra starts."""
    if arguments.shows:
        compose_config(command.name, arguments.overrides, complete=False)
        return []
    if arguments.sweep:
        if others := outside():
            raise ConfigError(
                f"-m: {others.starter} starts the processes of one run, and a sweep starts those "
                f"of each of its runs itself. Use fewstep {command.name} -m without it"
            )
        for overrides in itertools.islice(combinations(arguments.overrides), CHECKED):
            try:
                command.check(plain(compose_config(command.name, overrides)))
            except ConfigError as error:
                raise ConfigError(f"in the sweep's {' '.join(overrides)}: {error}") from None
        _check_new(sweep_dir(command.name, fixed(arguments.overrides)))
        return []
    extra = command.settle(plain(compose_config(command.name, arguments.overrides)))
    return [f"{key}={quoted(value)}" for key, value in extra.items()]


def _check_new(folder: Path) -> None:
    """Refuse to write the runs of a sweep over those of another one.

    Raises:
        ConfigError: naming the folder.
    """
    if next(folder.rglob("results.json"), None):
        raise ConfigError(
            f"{folder}: holds the results of an earlier sweep, which this one would overwrite. "
            "Give it a name of its own, as name=..., or remove that folder"
        )


def _hydra_main(command: Command, line: str) -> None:
    @hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=command.name)
    def start(composed: DictConfig) -> Any:
        config, folder = plain(composed), Path(HydraConfig.get().runtime.output_dir)
        try:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                command.settle(config)  # data and checkpoints of this job of the sweep
            (folder / "config.yaml").write_text(OmegaConf.to_yaml(config))
            return command.job(config, folder, line)
        except ConfigError:
            os.environ[FULL_ERROR] = "1"  # let it through to `launch`, which prints it
            raise

    before = os.environ.get(FULL_ERROR, "0")
    try:
        start()
    finally:
        os.environ[FULL_ERROR] = before
