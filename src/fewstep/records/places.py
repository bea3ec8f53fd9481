"""Whose a folder is: a run goes into one that is new or empty, or that its own start has left.

Whatever else lies in a folder is somebody's, and a run that began there would write over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from fewstep.disk.files import PART
from fewstep.disk.lock import NAME as LOCK
from fewstep.disk.lock import check_free
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import config_hash


START = (LOCK, "config.yaml", "overrides.yaml", ".hydra", "metrics.csv", "checkpoints")
START += ("wandb", "tensorboard", "train.log", "evaluate.log", "progress.json", "*.part")
"""What a run has before its first checkpoint: if it was killed then, it may begin again there."""
SWEEP = (LOCK, "multirun.yaml", "optimization_results.yaml", ".submitit", "*.log", "*.part")
SWEEP += ("wandb",)  # of `fewstep dashboard`
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
    if (folder / "results.json").exists():
        raise ConfigError(f"{key}: holds a finished run, which would be overwritten. {fix}")
    if any((folder / "checkpoints").glob("*.ckpt")):
        from fewstep.messages.words import (
            typed,  # by Hydra's grammar, which a report can do without
        )

        raise ConfigError(
            f"{key}: holds a run that was cut off. Continue it with: fewstep train "
            f"{typed('resume', str(folder))}. {fix}"
        )
    if foreign := [n for n in names if not _matches(n, START)]:
        raise ConfigError(f"{key}: is not empty, it holds {_listed(foreign)}. {fix}")
    if not _same(folder / "config.yaml", config):
        raise ConfigError(f"{key}: holds the configuration of something else. {fix}")


def check_sweep(folder: Path) -> None:
    """Refuse a folder for a sweep that is no sweep's; one of its own it goes on with.

    Raises:
        ConfigError: naming what is there, and the keys to change.
    """
    names = _inside(folder)
    foreign = [n for n in names if not n.isdecimal() and not _matches(n, SWEEP)]
    if foreign and ("multirun.yaml" not in names or "config.yaml" in names):
        raise ConfigError(
            f"hydra.sweep.dir={folder}: is not a sweep's folder, it holds {_listed(foreign)}. "
            "Choose another one with hydra.sweep.dir=..., or a name for the sweep with name=..."
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


def _same(file: Path, config: Mapping[str, Any]) -> bool:
    """Whether a configuration that was left is of the same run, or is not there yet."""
    try:
        left = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        return True
    except (OSError, ValueError, yaml.YAMLError):
        return False
    if "algorithm" not in config:  # of an evaluation
        return left in (None, dict(config))
    try:
        return left is None or config_hash(left) == config_hash(config)
    except (LookupError, TypeError, AttributeError):
        return False
