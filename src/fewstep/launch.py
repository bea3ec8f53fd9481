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
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fewstep.arguments import Arguments, combinations, fixed, names, read
from fewstep.checks import ConfigError
from fewstep.compose import compose_config, compose_hydra, conf_dir, quoted, search_path
from fewstep.files import CannotWrite, check_place
from fewstep.guide import guide
from fewstep.job import run as run_job
from fewstep.lock import held
from fewstep.printable import printable
from fewstep.ranks import outside
from fewstep.resume import keep
from fewstep.search import direction
from fewstep.stopping import how_to_go_on, stoppable
from fewstep.trust import told


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
    """Runs in a run directory, given the resolved configuration and the user's command line; what
    a sweeper is to judge the run by."""
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
        more, folder = _settled(command, arguments)
        line = shlex.join(["fewstep", command.name, *words])
        if (others := outside()) and others.rank > 0 and not arguments.shows:
            # Rank zero has the run directory, and Hydra would make another one here.
            config = compose_config(command.name, [*arguments.overrides, *more])
            command.job(plain(config), Path.cwd(), line)
            return 0
        sys.argv = [f"fewstep-{command.name}", *arguments.flags, *arguments.overrides]
        sys.argv += [*search_path(), *more]
        if arguments.sweep and not arguments.shows:
            return _sweep(command, line)
        with held(folder) if folder else nullcontext():
            _hydra_main(command, line, is_held=bool(folder))
    except ConfigError as error:
        return complain(told(error, command.name, words))
    except CannotWrite as error:
        return complain(error, status=1)
    except KeyboardInterrupt:
        return complain("stopped", status=1)
    return 0


def complain(error: Exception | str, status: int = 2) -> int:
    """Tell the user what to change, without a traceback; the exit status."""
    print(f"fewstep: {printable(error)}", file=sys.stderr)
    return status


def _settled(command: Command, arguments: Arguments) -> tuple[list[str], Path | None]:
    """Overrides to add, and the directory of a run that is continued, after everything was checked
    that can be checked before Hydra starts."""
    if arguments.shows:
        compose_config(command.name, arguments.overrides, complete=False)
        return [], None
    if not arguments.sweep:
        extra = command.settle(plain(compose_config(command.name, arguments.overrides)))
        more = [f"{key}={quoted(value)}" for key, value in extra.items()]
        place = compose_hydra(command.name, [*arguments.overrides, *more]).hydra.run.dir
        check_place(Path(place), "hydra.run.dir")
        return more, Path(place) if "hydra.run.dir" in extra else None
    if others := outside():
        raise ConfigError(
            f"-m: {others.starter} starts the processes of one run, and a sweep starts those of "
            f"each of its runs itself. Use fewstep {command.name} -m without it"
        )
    same = fixed(arguments.overrides)
    composed = compose_hydra(command.name, same).hydra
    sweeper = composed.sweeper
    axes = [f"{key}={values}" for key, values in (sweeper.params or {}).items()]
    jobs = itertools.islice(combinations([*axes, *arguments.overrides]), CHECKED)
    configs = []
    for overrides in list(jobs) or [same]:
        try:
            configs.append(plain(compose_config(command.name, overrides)))
            command.check(configs[-1])
        except ConfigError as error:
            raise ConfigError(f"in the sweep's {' '.join(overrides)}: {error}") from None
    more = [direction(configs, sweeper.direction)] if "direction" in sweeper else []
    check_place(Path(composed.sweep.dir), "hydra.sweep.dir")
    unnamed = ",".join(map(quoted, ["resume", *names(same)]))  # the same in all jobs, or no axis
    return [f"{OVERRIDE_DIRNAME}.exclude_keys=[{unnamed}]", *more], None


def _sweep(command: Command, line: str) -> int:
    """Run a sweep to its end, whatever becomes of its jobs; the exit status."""
    from fewstep.jobs import summary
    from fewstep.sweep import supervised

    with supervised() as jobs:
        try:
            _hydra_main(command, line, sweep=True)
        except KeyboardInterrupt:
            done = sum(job.finished for job in jobs)
            print(f"\nstopped: {done} of {len(jobs)} jobs are finished; the same command goes on")
            return 130
        except ConfigError:
            raise
        except Exception as error:  # of the sweeper: a job's own is in its record
            print(f"\n{summary(jobs)}")
            return complain(error)
    print(f"\n{summary(jobs)}")
    return 0 if all(job.finished for job in jobs) else 1


def _hydra_main(command: Command, line: str, sweep: bool = False, is_held: bool = False) -> None:
    """Let Hydra run one job here, or a sweep of jobs in processes of their own."""

    @hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=command.name)
    def start(composed: DictConfig) -> Any:
        config, folder = plain(composed), Path(HydraConfig.get().runtime.output_dir)
        try:
            with nullcontext() if sweep or is_held else held(folder):
                keep(folder, config, HydraConfig.get().overrides.task)
                if sweep:
                    return run_job(command.name, folder, line)
                with stoppable(folder):
                    return command.job(config, folder, line)
        except ConfigError:
            os.environ[FULL_ERROR] = "1"  # let it through to `launch`, which prints it
            raise
        except CannotWrite as error:
            os.environ[FULL_ERROR] = "1"
            raise CannotWrite(f"{error}. {how_to_go_on(folder)}") from None

    before = os.environ.get(FULL_ERROR, "0")
    os.environ[FULL_ERROR] = "1" if sweep else before  # so that there is a summary anyway
    try:
        start()
    finally:
        os.environ[FULL_ERROR] = before
