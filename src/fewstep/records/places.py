"""Whose a folder is: a run goes into one that is new or empty, or that its own start has left.

Whatever else lies in a folder is somebody's, and a run that began there would write over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fewstep.disk.files import PART
from fewstep.disk.lock import NAME as LOCK
from fewstep.disk.lock import check_free
from fewstep.disk.plain import plain_yaml
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import config_hash, hash_of
from fewstep.records.outcome import finished
from fewstep.records.run_folders import command_of, goes_on, jobs


START = (LOCK, "config.yaml", "overrides.yaml", ".hydra", "metrics.csv", "checkpoints")
START += ("wandb", "tensorboard", "train.log", "evaluate.log", "progress.json", "*.part")
"""What a run has before its first checkpoint: if it was killed then, it may begin again there. The
names alone prove nothing, and count beside a configuration of the same run."""
FIRST = (LOCK, "config.yaml", "config.yaml.part")
"""What it has before it has said its configuration, beside what Hydra makes."""
LOGS = ("train.log", "evaluate.log")
"""Which Hydra opens first of all, and which nothing is written to before that."""
SWEEP = (LOCK, "multirun.yaml", "optimization_results.yaml", ".submitit", "*.log", "*.part")
SWEEP += ("wandb",)  # of `fewstep dashboard`
OF_A_SWEEP = {"multirun.yaml": "hydra", "optimization_results.yaml": "name"}
"""What a sweep writes anew in its folder, each with a key that it has."""
REPORT = ("report.md", "report.csv", "report.html")
"""Names by which an earlier report is known, in whose place a new one may be written."""
SHOWN = 3
"""Names of what is in the way that a message gives."""


def check_run(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a run directory in which something would be overwritten.

    Raises:
        ConfigError: naming what is there, and the keys to change.
    """
    names, key = _inside(folder), f"hydra.run.dir={folder}"
    if not names:
        return
    check_free(folder)
    fix = "Choose another folder with hydra.run.dir=..., or leave that out"
    if finished(folder):
        raise ConfigError(f"{key}: holds a finished run, which would be overwritten. {fix}")
    if goes_on(folder):
        from fewstep.messages.words import (
            typed,  # by Hydra's grammar, which a report can do without
        )

        raise ConfigError(
            f"{key}: holds a run that was cut off. Continue it with: fewstep {command_of(folder)} "
            f"{typed('resume', str(folder))}. {fix}"
        )
    if foreign := [n for n in names if not _matches(n, START)]:
        raise ConfigError(f"{key}: is not empty, it holds {_listed(foreign)}. {fix}")
    if _nothing_in(folder / "config.yaml"):
        if foreign := [n for n in names if not _at_first(folder / n, config)]:
            raise ConfigError(
                f"{key}: is not empty, it holds {_listed(foreign)}, without the config.yaml of a "
                f"run. {fix}"
            )
    elif not _same(folder / "config.yaml", config):
        raise ConfigError(f"{key}: holds the configuration of something else. {fix}")


def check_sweep(folder: Path) -> None:
    """Refuse a folder for a sweep that is no sweep's; one of its own it goes on with.

    Raises:
        ConfigError: naming what is there, and the keys to change.
    """
    names = _inside(folder)
    another = "Choose another one with hydra.sweep.dir=..., or a name for the sweep with name=..."
    foreign = [n for n in names if not n.isdecimal() and not _matches(n, SWEEP)]
    if foreign and ("config.yaml" in names or not _of_a_sweep(folder)):
        raise ConfigError(
            f"hydra.sweep.dir={folder}: is not a sweep's folder, it holds {_listed(foreign)}. "
            f"{another}"
        )
    for name, key in OF_A_SWEEP.items():
        if name in names and not _has(folder / name, key):
            raise ConfigError(
                f"hydra.sweep.dir={folder}: is not a sweep's folder, its {name} is of something "
                f"else, and would be overwritten. {another}"
            )


def check_output(folder: Path, key: str, own: tuple[str, ...] = ()) -> None:
    """Refuse a folder for output that holds anything, but an earlier output with all of `own`.

    Raises:
        ConfigError: naming what is there, and the key to change.
    """
    names = _inside(folder)
    if names and not (own and all((folder / name).is_file() for name in own)):
        raise ConfigError(
            f"{key}{folder}: is not empty, it holds {_listed(names)}. Name another folder with "
            f"{key}..."
        )


def _of_a_sweep(folder: Path) -> bool:
    """Whether a sweep has been in a folder: a search leaves its results at its end alone, and
    before that its jobs."""
    return any((folder / name).exists() for name in OF_A_SWEEP) or any(map(hash_of, jobs(folder)))


def _inside(folder: Path) -> list[str]:
    """The names in a folder, without a lock or half an output that was left; nothing where it
    cannot be listed."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.name not in (LOCK, PART))
    except OSError:
        return []


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _nothing_in(file: Path) -> bool:
    """Whether a file is not there, or is an empty one."""
    return not file.exists() or (file.is_file() and file.stat().st_size == 0)


def _at_first(path: Path, config: Mapping[str, Any]) -> bool:
    """Whether something is what a start leaves that was killed before it wrote its config.yaml."""
    if path.name == ".hydra":
        return _of_hydra(path / "config.yaml", config)
    if path.name in LOGS:
        return _nothing_in(path)
    return path.name in FIRST and not path.is_dir()


def _of_hydra(file: Path, config: Mapping[str, Any]) -> bool:
    """Whether Hydra's own record has the keys of a configuration, or is not there yet: it is
    written in place, and its values are not settled."""
    try:
        if _nothing_in(file):
            return file.exists() or not any(file.parent.iterdir())
        return {*plain_yaml(file)} == {*config}
    except (OSError, ValueError, TypeError):
        return False


def _has(file: Path, key: str) -> bool:
    """Whether a file is a record with a key, or an empty one, as a kill may leave it."""
    try:
        found = plain_yaml(file)
    except (OSError, ValueError):
        return False
    return found is None or (isinstance(found, dict) and key in found)


def _same(file: Path, config: Mapping[str, Any]) -> bool:
    """Whether a configuration that was left is of the same run."""
    try:
        left = plain_yaml(file)
    except (OSError, ValueError):
        return False
    if "algorithm" not in config:  # of an evaluation
        return left == dict(config)
    try:
        return config_hash(left) == config_hash(config)
    except (LookupError, TypeError, AttributeError):
        return False
