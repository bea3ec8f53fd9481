"""What is refused before Hydra starts: configurations, data, checkpoints, and where a run would go.

Hydra makes the run directory before our code runs, and writes into it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from fewstep.config.arguments import Arguments, check_values_differ, combinations, fixed, names
from fewstep.config.checks import check_values, count
from fewstep.config.compose import compose_config, compose_hydra, compose_run, own_part, plain
from fewstep.config.ranks import outside
from fewstep.disk.files import check_place
from fewstep.launch.job_folders import Following, nothing_follows
from fewstep.launch.through_hydra import amend, set_keys
from fewstep.messages.errors import ConfigError
from fewstep.messages.words import quoted
from fewstep.records.places import check_run, check_sweep


Config = dict[str, Any]

OVERRIDE_DIRNAME = "hydra.job.config.override_dirname"
"""Where Hydra is told what a job of a sweep is not called by: what all of its jobs have."""
RUN_DIR, SWEEP_DIR, SUBDIR = "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir"

AMOUNTS = {
    "hydra.sweeper.n_jobs": count(1, 1),
    "hydra.sweeper.n_trials": count(1, 20),
    "hydra.sweeper.max_batch_size": count(1, 8, optional=True),
}
"""Of jobs, for the sweepers that ask: with none a sweep would end, or never end, without a job."""

CHECKED = 100
"""Combinations of a sweep that are checked before the first one runs: some seconds at most."""


@dataclass(frozen=True)
class Command:
    """What `launch` needs to know of a command."""

    name: str
    """Of the command and of its configuration."""
    module: str
    """Where `settle` and `job` are: each job of a sweep imports it in a process of its own."""
    check: Callable[[Config], None]
    """Refuses a configuration by itself, raising `ConfigError`; opens no file."""
    settle: Callable[[Config], Mapping[str, str]]
    """Refuses what cannot run, data and checkpoints included; overrides to add, by key."""
    job: Callable[[Config, Path, str], Any]
    """Runs in a run directory, given the resolved configuration and the user's command line; what
    a sweeper is to judge the run by."""
    digests: Callable[[Mapping[str, Any]], Mapping[str, str | None]]
    """Of the data that the node `dataset` of a configuration names, by which a job of a sweep is
    known to have seen it.

    Raises:
        OSError, ValueError: data that cannot be read.
    """
    direction: Callable[[Sequence[Config], Any], str] | None = None
    """The override by which a search over these configurations goes where a run is better, given
    the sweeper's own direction; None where there is nothing to search by."""
    prepare: Callable[[Arguments], Arguments] = lambda arguments: arguments
    """Adds to the arguments what follows from them."""
    following: Following = nothing_follows
    """What follows from other keys, as how long a run is, given the user's words: keys with values,
    by which a configuration is hashed and recorded.

    Raises:
        ConfigError: that cannot be.
    """


def settled(command: Command, overrides: list[str]) -> tuple[DictConfig, bool]:
    """The configuration of a run after everything was checked that can be checked before it starts,
    and whether it goes on in a directory of its own.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    composed = compose_run(command.name, overrides)
    config = plain(own_part(composed))
    config |= set_keys(composed, command.following(config, overrides))
    extra = command.settle(config)
    amend(composed, dict(extra))
    place, others = Path(composed.hydra.run.dir), outside()
    check_place(place, RUN_DIR)
    goes_on = RUN_DIR in extra
    if not goes_on and (not others or others.rank == 0):  # which may have begun to write there
        check_run(place, config)
    return composed, goes_on


def settled_sweep(command: Command, overrides: list[str]) -> list[str]:
    """Overrides to add to those of a sweep, after its first jobs were checked.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    if others := outside():
        raise ConfigError(
            f"-m: {others.starter} starts the processes of one run, and a sweep starts those of "
            f"each of its runs itself. Use fewstep {command.name} -m without it"
        )
    same = fixed(overrides)
    composed = compose_hydra(command.name, same).hydra
    _check_amounts(composed)
    axes = [f"{key}={values}" for key, values in (composed.sweeper.params or {}).items()]
    check_values_differ([*axes, *overrides])
    jobs = list(itertools.islice(combinations([*axes, *overrides]), CHECKED)) or [same]
    configs, follow = [], set()
    for words in jobs:
        try:
            configs.append(plain(compose_config(command.name, words)))
            found = command.following(configs[-1], words)
            configs[-1] |= found
            follow |= found.keys()
            command.check(configs[-1])
        except ConfigError as error:
            raise ConfigError(f"in the sweep's {' '.join(words)}: {error}") from None
        if (first := configs.index(configs[-1])) < len(configs) - 1:  # 0.1 and 1e-1
            raise ConfigError(
                f"in the sweep's {' '.join(words)}: is {' '.join(jobs[first])} again, and a sweep "
                "runs no job twice. Leave one of them out"
            )
    sweeper = composed.sweeper
    more = []
    if command.direction and "direction" in sweeper:
        more.append(command.direction(configs, sweeper.direction))
    _check_subdir(composed.sweep)
    check_place(Path(composed.sweep.dir), SWEEP_DIR)
    check_sweep(Path(composed.sweep.dir))
    # The same in all jobs, or no axis.
    unnamed = ",".join(map(quoted, ["resume", *sorted(follow), *names(same)]))
    return [f"{OVERRIDE_DIRNAME}.exclude_keys=[{unnamed}]", *more]


def check_folder_keys(arguments: Arguments) -> None:
    """Refuse a folder that would be ignored in silence: a run's in a sweep, a sweep's in a run; and
    a current folder that stands for another in a configuration, which every path of a run is in.

    Raises:
        ConfigError: naming the key to give instead.
    """
    if "${" in (here := str(Path.cwd())):
        raise ConfigError(
            f"{here}: the path of the current folder holds ${{, which a configuration follows to "
            "another of its keys. Change to a folder without it, or rename that"
        )
    given = dict(zip(names(arguments.overrides), arguments.overrides, strict=True))
    if arguments.sweep and RUN_DIR in given:
        raise ConfigError(
            f"{given[RUN_DIR]}: is the folder of a single run, and this is a sweep. Give the "
            f"sweep's folder as {SWEEP_DIR}=..."
        )
    if not arguments.sweep and SUBDIR in given:
        raise ConfigError(
            f"{given[SUBDIR]}: is a folder of a sweep's job, and this is a single run. Give the "
            f"run's folder as {RUN_DIR}=..."
        )
    if not arguments.sweep and SWEEP_DIR in given:
        raise ConfigError(
            f"{given[SWEEP_DIR]}: is the folder of a sweep, and this is a single run. Give the "
            f"run's folder as {RUN_DIR}=..., or make it a sweep with -m"
        )


def _check_amounts(hydra: DictConfig) -> None:
    """Refuse a number of jobs that is none, before there is a folder of any."""
    parts = {name: plain(hydra[name], resolve=False) for name in ("launcher", "sweeper")}
    check_values({"hydra": parts}, AMOUNTS, optional=True)
    if parts["launcher"].get("n_jobs") == 0:  # less are counted from the cores
        raise ConfigError(
            "hydra.launcher.n_jobs=0: must be how many jobs run at a time, or -1: one a core. For "
            "example hydra.launcher.n_jobs=2"
        )


def _check_subdir(sweep: DictConfig) -> None:
    """Refuse names for the folders of jobs: a job is found by its configuration, not by a name."""
    given = plain(sweep, resolve=False)["subdir"]
    if given != "${hydra.job.num}":
        raise ConfigError(
            f"{SUBDIR}={given}: the jobs of a sweep are in numbered folders, so that the same "
            f"command goes on with them. Leave it out; the sweep's folder is {SWEEP_DIR}=..."
        )
