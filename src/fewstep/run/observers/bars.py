"""Progress bars, for a person who waits."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from tqdm import tqdm

from fewstep.execution.collectives import local_share
from fewstep.records.statistics.intervals import show
from fewstep.run.episodes import Chunk, TaskModule
from fewstep.run.learner import MetaLearner
from fewstep.run.measuring import Measuring
from fewstep.run.observers.callbacks import Measure
from fewstep.run.observers.stopwatch import Stopwatch


def _bar(**options: Any) -> tqdm:
    """A bar on a terminal; a line now and then in a log file; rank zero's alone."""
    seldom = 0.5 if sys.stderr.isatty() else 10.0
    others = rank_zero_only.rank != 0
    return tqdm(**options, dynamic_ncols=True, mininterval=seldom, disable=others)


class Progress(pl.Callback):
    """One bar in meta-iterations, with what was last logged of the training tasks, tasks a second
    and the newest meta-validation; no tensor is waited for here."""

    def __init__(self, stopwatch: Stopwatch, measure: Measure, label: str) -> None:
        self.stopwatch, self.measure, self.label = stopwatch, measure, label
        self._bar: tqdm | None = None
        self._validation = ""

    def on_train_start(self, trainer: pl.Trainer, learner: MetaLearner) -> None:
        self._bar = _bar(
            total=learner.max_meta_iterations,
            initial=learner.meta_iteration,
            desc=self.label,
            unit=" meta-iterations",
        )

    def on_train_batch_end(self, trainer: pl.Trainer, learner: MetaLearner, *_: Any) -> None:
        if self._bar is None:
            return
        if self.measure.newest:
            self._validation = f", val {show(self.measure.newest)}"
        speed = self.stopwatch.tasks_per_second_now(learner.meta_batch)
        if not math.isnan(speed):
            text = f"{figures_text(learner.training)}{speed:.0f} tasks/s{self._validation}"
            self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()

    def teardown(self, trainer: pl.Trainer, learner: pl.LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def figures_text(figures: Mapping[str, float]) -> str:
    """`loss 0.532, acc 81.2 %, `; nothing before anything was logged."""
    loss = f"loss {figures['loss']:.3g}, " if "loss" in figures else ""
    return loss + (f"acc {figures['acc']:.1%}, ".replace("%", " %") if "acc" in figures else "")


class TestProgress(pl.Callback):
    """A bar over the tasks of a meta-test."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._bar: tqdm | None = None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Measuring)
        own = TaskModule.of(trainer)
        self._bar = _bar(
            total=len(local_share(range(own.tasks))) * len(own.settings),
            initial=sum(map(len, pl_module.outcomes.values())),
            desc=self.label,
            unit=" tasks",
        )

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Chunk, *_: Any, **__: Any
    ) -> None:
        if self._bar is not None:
            self._bar.update(len(batch.episodes))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._bar is not None:
            self._bar.close()

    on_test_start, on_test_end = on_validation_start, on_validation_end
    on_test_batch_end = on_validation_batch_end
