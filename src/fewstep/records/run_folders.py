"""Which run a path means: a run's name alone, `outputs/runs/NAME`, is its newest dated folder."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.records.identity import config_of


DATED = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(-\d+)?")
"""A run's folder, below the one of its name: when it began."""
OVERRIDES = "overrides.yaml"
"""What a run was asked for."""
SO_FAR = ".so_far"
"""What a file of a test that is under way ends with."""
OF_A_RUN = ("config.yaml", "results.json", "checkpoints", ".hydra")
"""What lies in a run's own folder."""


def goes_on(folder: Path) -> bool:
    """Whether a run that was cut off has left what the same run goes on with."""
    left = (folder / "checkpoints").glob("*.ckpt"), (folder / "per_task").glob(f"*{SO_FAR}")
    return any(any(files) for files in left)


def command_of(folder: Path) -> str:
    """The command that a run is of: `train` or `evaluate`."""
    return "evaluate" if "checkpoint" in config_of(folder) else "train"


def new_name() -> str:
    """When something begins, as the name of a folder that no other has."""
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's own."""
    return any((folder / name).exists() for name in OF_A_RUN)


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep, whose jobs have numbers."""
    return (folder / "multirun.yaml").is_file() or any(is_run(job) for job in jobs(folder))


def jobs(sweep: Path) -> list[Path]:
    """The folders of a sweep's jobs, by their numbers."""
    folders = [path for path in _inside(sweep) if path.name.isdecimal()]
    return sorted(folders, key=lambda path: int(path.name))


def dated(folder: Path) -> list[Path]:
    """The runs below a name, the newest first."""
    found = [path for path in _inside(folder) if DATED.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name, reverse=True)


def _inside(folder: Path) -> list[Path]:
    """The folders in a folder; nothing where it cannot be listed."""
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []


def run_folder(path: Path, key: str) -> Path:
    """The folder of the run that a path to a folder means: itself, or the newest below a name.

    Raises:
        ConfigError: a sweep's folder, or one that holds no run.
    """
    if is_run(path):
        return path
    if runs := dated(path):
        return runs[0]
    shown = printable(path)
    if is_sweep(path):
        raise ConfigError(
            f"{key}={shown}: is a sweep, whose jobs are runs. Name one of them, for example "
            f"{key}={shown}/{next((job.name for job in jobs(path)), 0)}"
        )
    raise ConfigError(
        f"{key}={shown}: no run is in this folder, it has no checkpoints/last.ckpt. Name a run "
        f"directory of fewstep train, as {key}=outputs/runs/NAME for the newest of that name, or a "
        ".ckpt file"
    )


def newest(path: Path) -> Path:
    """The newest run below a name, where a path is one; else the path as it is."""
    runs = [] if is_run(path) else dated(path)
    return runs[0] if runs else path


def no_checkpoint(path: Path, folder: Path) -> str:
    """What to say of a path that means a run without a checkpoint."""
    if folder == path:
        return (
            "this folder has no checkpoints/last.ckpt. Name a run directory of fewstep train, or a "
            ".ckpt file"
        )
    others = [run for run in dated(path) if any((run / "checkpoints").glob("*.ckpt"))]
    earlier = f", for example {others[0]}" if others else ""
    return f"its newest run, {folder.name}, never wrote a checkpoint. Name another one{earlier}"
