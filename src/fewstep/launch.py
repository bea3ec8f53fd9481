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

from fewstep.arguments import Arguments, combinations, fixed, names, read
from fewstep.checks import ConfigError
from fewstep.compose import compose_config, conf_dir, output_dir, quoted, search_path
from fewstep.files import CannotWrite, check_place, replacing
from fewstep.guide import guide
from fewstep.stopping import how_to_go_on, stoppable


Config = dict[str, Any]

FULL_ERROR = "HYDRA_FULL_ERROR"
"""The variable by which Hydra lets an exception through instead of printing it."""

OVERRIDE_DIRNAME = "hydra.job.config.override_dirname"
"""Where Hydra is told what a job of a sweep is not called by: what all of its jobs have."""

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
        sys.argv = [f"fewstep-{command.name}", *arguments.flags, *arguments.overrides]
        sys.argv += [*search_path(), *added]
        _hydra_main(command, shlex.join(["fewstep", command.name, *words]))
    except ConfigError as error:
        return complain(error)
    except CannotWrite as error:
        return complain(error, status=1)
    except KeyboardInterrupt:
        return complain("stopped", status=1)
    return 0


def complain(error: Exception | str, status: int = 2) -> int:
    """Tell the user what to change, without a traceback; the exit status."""
    print(f"fewstep: {error}", file=sys.stderr)
    return status


def _settled(command: Command, arguments: Arguments) -> list[str]:
    """Overrides to add, after everything was checked that can be checked before Hydra starts."""
    if arguments.shows:
        compose_config(command.name, arguments.overrides, complete=False)
        return []
    if arguments.sweep:
        for overrides in itertools.islice(combinations(arguments.overrides), CHECKED):
            try:
                command.check(plain(compose_config(command.name, overrides)))
            except ConfigError as error:
                raise ConfigError(f"in the sweep's {' '.join(overrides)}: {error}") from None
        same = fixed(arguments.overrides)
        folder = output_dir(command.name, same, "sweep")
        _check_new(folder)
        check_place(folder, "hydra.sweep.dir")
        unnamed = ",".join(quoted(name) for name in names(same))
        return [f"{OVERRIDE_DIRNAME}.exclude_keys=[{unnamed}]"]
    extra = command.settle(plain(compose_config(command.name, arguments.overrides)))
    added = [f"{key}={quoted(value)}" for key, value in extra.items()]
    check_place(output_dir(command.name, [*arguments.overrides, *added], "run"), "hydra.run.dir")
    return added


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
            with stoppable(folder):
                with replacing(folder / "config.yaml") as aside:
                    aside.write_text(OmegaConf.to_yaml(config))
                return command.job(config, folder, line)
        except ConfigError:
            os.environ[FULL_ERROR] = "1"  # let it through to `launch`, which prints it
            raise
        except CannotWrite as error:
            os.environ[FULL_ERROR] = "1"
            raise CannotWrite(f"{error}. {how_to_go_on(folder)}") from None

    before = os.environ.get(FULL_ERROR, "0")
    try:
        start()
    finally:
        os.environ[FULL_ERROR] = before
