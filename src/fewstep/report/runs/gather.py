"""Which runs lie under the folders that were named, and how far each of them came."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_yaml
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.records.identity import hashed, recipe_hash
from fewstep.records.job_record import read_record
from fewstep.records.metrics import AXES, read_metrics
from fewstep.records.outcome import RESULTS, overtaken
from fewstep.report.runs.expected import read_results
from fewstep.report.runs.folders import Found, found


AXIS = AXES[0]
"""The column of meta-iterations."""

TRAINING = {"algorithm", "dataset", "trainer", "max_meta_iterations"}
"""What the config.yaml of a training has; that of `fewstep evaluate` lacks some."""


@dataclass(frozen=True)
class Run:
    """One run: what its results file says, which is nothing before it has finished."""

    folder: Path
    content: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    """What is hashed of it, the label and the point; empty where no file has it."""
    file: Path | None = None
    """Its results file, once it has finished."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Its configuration where it has gone on since its results, to another end; else empty."""
    unread: str = ""
    """What the system says of a folder that cannot be read, in which there may be runs."""

    @property
    def finished(self) -> bool:
        return bool(self.content)

    @property
    def sweep(self) -> Path | None:
        """The folder of the sweep that this is a job of."""
        job = self.folder / "job.json", self.folder.parent / "multirun.yaml"
        return self.folder.parent if any(map(os.path.exists, job)) else None

    @property
    def stopped(self) -> bool:
        """Whether it is a job that was told to stop."""
        return read_record(self.folder).get("state") == "stopped"

    @property
    def failure(self) -> str | None:
        """Why a job of a sweep failed, where it was there to say so."""
        state = read_record(self.folder)
        return str(state.get("reason")) if state.get("state") == "failed" else None


def read(paths: Sequence[str | Path]) -> list[Run]:
    """Every run in or under the paths, finished or not, each once, in the order of their names;
    behind those of a path what of it cannot be read.

    Raises:
        ConfigError: a path that does not exist or has no run, or a file that cannot be read.
    """
    if not paths:
        raise ConfigError("name what to report: fewstep report outputs/runs/NAME [...]")
    known: dict[Path, Run] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder. Name run directories or sweeps")
        lies = Found([path]) if path.is_file() else found(path)
        files = sorted(lies.files, key=_by_number)
        runs = {file.resolve(): run for file in files if (run := _run(file))}
        if not runs:
            raise ConfigError(_nothing(path, lies.unread))
        known |= runs
        unread = sorted(lies.unread.items())
        known |= {folder.absolute(): Run(folder, unread=reason) for folder, reason in unread}
    return list(known.values())


def _nothing(path: Path, unread: Mapping[Path, str]) -> str:
    """Why no run of a path is known."""
    if not unread:
        return f"{path}: no run has finished here or is under way, there is no results.json in it"
    folder, why = next(iter(unread.items()))
    return (
        f"{folder}: cannot be read ({why}), and no other run is here. Let it be read, or leave it "
        "out"
    )


def _by_number(path: Path) -> list[list[tuple[int, str]]]:
    """Sorts job 10 behind job 9, and what is kept of it."""
    split = (re.split(r"([0-9]+)", part) for part in path.parts)
    return [[(int(t) if t.isdecimal() else -1, t) for t in tokens if t] for tokens in split]


def _run(file: Path) -> Run | None:
    """The run of a results file, or of the config.yaml of a training without one."""
    if file.name == "config.yaml":
        config = _config(file)
        return Run(file.parent, {}, config) if config else None
    content = read_results(file)
    known = {**content.get("config", {}), "label": content.get("label")}
    asked = _config(file) if file.name == RESULTS and overtaken(file.parent) else {}
    return Run(file.parent, content, known if "config" in content else _config(file), file, asked)


def _config(beside: Path) -> dict[str, Any]:
    """What config.yaml says of what a training computes; nothing where there is no such file."""
    file = beside.with_name("config.yaml")
    if not file.exists():
        return {}
    try:
        config = plain_yaml(file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{file}: cannot be read as a configuration ({printable(error)}). Leave it out"
        ) from None
    if not isinstance(config, dict) or not {*map(str, config)} >= TRAINING or "_wandb" in config:
        return {}
    try:
        iterations = config["max_meta_iterations"] + 0  # which is shown as a number
        known = {**hashed(config), "max_meta_iterations": iterations}
        recipe_hash(known)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{file}: is not the configuration of a training ({printable(error)}). Leave it out"
        ) from None
    return {**known, "label": config.get("label"), "point": config.get("point")}


def logged(run: Run, metric: str) -> list[tuple[int, float, float]]:
    """`(meta_iteration, value, 95 % half-width over tasks)` wherever metrics.csv has the metric."""
    with _explained(run.folder / "metrics.csv") as file:
        return [
            (int(row[AXIS]), float(row[metric]), float(row.get(f"{metric}_ci95", "nan")))
            for row in _rows(file)
            if {AXIS, metric} <= row.keys()
        ]


def reached(run: Run) -> int:
    """The last meta-iteration that a run has logged."""
    with _explained(run.folder / "metrics.csv") as file:
        rows = _rows(file)
        return int(rows[-1].get(AXIS, 0)) if rows else 0


@contextmanager
def _explained(file: Path) -> Iterator[Path]:
    """Name the file whose text is not what it should be."""
    try:
        yield file
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{file}: is no metrics.csv of a run ({printable(error)}). Remove it, or leave this "
            "run out"
        ) from None


def _rows(file: Path) -> list[dict[str, Any]]:
    return read_metrics(file)[1] if file.is_file() else []
