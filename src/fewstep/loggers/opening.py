"""The loggers of a run: opened together, closed whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from fewstep.loggers.dashboard import Dashboard
from fewstep.messages.printable import printable


LONGEST = 128
"""Characters in the name of a W&B run."""


@dataclass(frozen=True)
class Shown:
    """What loggers are told of a run."""

    settings: Mapping[str, Any]
    """Of the logger: a `_target_` and its arguments; nothing where none was chosen."""
    name: str
    """Of the run."""
    config: Mapping[str, Any]
    """All of its keys, to be shown."""


@contextmanager
def open_loggers(shown: Shown, folder: Path, job_type: str = "train") -> Iterator[list[Logger]]:
    """What `logger=` chose, beside metrics.csv, which every run has.

    Rank zero alone has any. W&B runs are closed even when the training fails, marked as failed.
    """
    settings = shown.settings
    loggers: list[Logger] = []
    if "_target_" in settings and rank_zero_only.rank == 0:
        if settings["_target_"].endswith(".Dashboard"):
            settings = {**settings, **_names(shown), "job_type": job_type}
        loggers.append(instantiate({**settings, "save_dir": str(folder)}))
    failed = True
    try:
        for logger in loggers:
            logger.log_hyperparams({**shown.config, "choices": _choices()})
        yield loggers
        failed = False
    finally:
        for logger in loggers:
            if isinstance(logger, Dashboard):
                logger.finish(failed)


def log_results(loggers: Sequence[Logger], results: Sequence[Mapping[str, Any]]) -> None:
    """Hand the final figures to the dashboards among the loggers."""
    for logger in loggers:
        if isinstance(logger, Dashboard):
            logger.log_results(results)


def _choices() -> dict[str, str]:
    """The option of each group, such as `algorithm: reptile`; Hydra's own groups left out."""
    if not HydraConfig.initialized():
        return {}
    chosen = HydraConfig.get().runtime.choices
    return {group: str(option) for group, option in chosen.items() if not group.startswith("hydra")}


def _names(shown: Shown) -> dict[str, str | None]:
    """Name and group as given; else a job of a sweep is called by its overrides, in its sweep."""
    name, group = (shown.settings.get(key) for key in ("name", "group"))
    hydra = HydraConfig.get() if HydraConfig.initialized() else None
    if hydra and RunMode.MULTIRUN.name in str(hydra.mode):  # a name only, in a job of its own
        name = name or hydra.job.override_dirname[:LONGEST]
        group = group or Path(hydra.sweep.dir).name
    return {"name": printable(name or shown.name), "group": group and printable(group)}
