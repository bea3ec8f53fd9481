"""Leaving word of how far a training is, for `fewstep status`."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from fewstep.records.pace import RECORD, Pace, write_pace
from fewstep.run.learner import MetaLearner
from fewstep.run.observers.stopwatch import Stopwatch


EVERY = 5.0
"""Seconds between two words, at least."""


class PaceFile(pl.Callback):
    """A small file beside the run, now and then; rank zero's alone."""

    def __init__(self, folder: Path, stopwatch: Stopwatch) -> None:
        self.folder, self.stopwatch = folder, stopwatch
        self._began, self._first, self._next = 0.0, 0, 0.0
        self._settled = 0
        """The last meta-iteration that was whole."""

    def on_train_start(self, trainer: pl.Trainer, learner: MetaLearner) -> None:
        self._began, self._first = time.monotonic(), learner.meta_iteration
        self._settled = self._first
        self._write(trainer, learner)

    def on_train_batch_end(self, trainer: pl.Trainer, learner: MetaLearner, *_: Any) -> None:
        self._settled = learner.meta_iteration
        if time.monotonic() >= self._next:
            self._write(trainer, learner)

    def on_exception(
        self, trainer: pl.Trainer, learner: pl.LightningModule, exception: BaseException
    ) -> None:
        """A run that is stopped says how far it came, as its last checkpoint does."""
        if isinstance(learner, MetaLearner):
            self._write(trainer, learner)

    def on_train_end(self, trainer: pl.Trainer, learner: pl.LightningModule) -> None:
        if trainer.is_global_zero:  # metrics.csv says from now on that it is trained
            (self.folder / RECORD).unlink(missing_ok=True)

    def _write(self, trainer: pl.Trainer, learner: MetaLearner) -> None:
        self._next = time.monotonic() + EVERY
        if not trainer.is_global_zero:
            return
        done, of = self._settled, learner.max_meta_iterations
        since = done - self._first  # by the clock, measuring and saving included
        left = (time.monotonic() - self._began) / since * (of - done) if since else None
        tasks = self.stopwatch.tasks_per_second_now(learner.meta_batch)
        speed = None if math.isnan(tasks) else round(tasks, 1)
        write_pace(self.folder, Pace(done, of, speed, left and round(left, 1)))
