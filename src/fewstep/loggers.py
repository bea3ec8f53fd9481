"""The loggers of a run: opened together, closed whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from fewstep.dashboard import Dashboard


@contextmanager
def open_loggers(config: Mapping[str, Any], folder: Path) -> Iterator[list[Logger]]:
    """What `logger=` chose, beside metrics.csv, which every run has.

    Rank zero alone has any. W&B runs are closed even when the training fails, marked as failed.
    """
    settings = config["logger"]
    loggers: list[Logger] = []
    if "_target_" in settings and rank_zero_only.rank == 0:
        loggers.append(instantiate({**settings, "save_dir": str(folder)}))
    failed = True
    try:
        for logger in loggers:
            logger.log_hyperparams(dict(config))
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
