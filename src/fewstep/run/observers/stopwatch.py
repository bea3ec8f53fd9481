"""How long the training loop takes, and nothing else of a run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl


WARM_UP = 5
"""Meta-iterations of every start that say nothing of the speed."""


class Stopwatch(pl.Callback):
    """Wall time of the training loop alone: tasks are drawn, adapted and stepped on.

    Set-up, measuring and checkpoints are left out; of the speed, the first meta-iterations of every
    start as well. Comes first among the callbacks, so that whatever the others do is not counted.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        """Of all meta-iterations."""
        self.warm_seconds, self.meta_iterations = 0.0, 0
        """Of those after a warm-up, and how many these are."""
        self._since = 0.0
        self._warm_up = WARM_UP
        self._resumed = (0.0, 0)  # the warm ones of earlier starts

    def tasks_per_second(self, meta_batch: int) -> float:
        """Of the whole training; not a number before the first warm-up is over."""
        return _speed(self.meta_iterations * meta_batch, self.warm_seconds)

    def tasks_per_second_now(self, meta_batch: int) -> float:
        """Since this start, for somebody who waits; not a number before its warm-up is over."""
        seconds, meta_iterations = self._resumed
        tasks = (self.meta_iterations - meta_iterations) * meta_batch
        return _speed(tasks, self.warm_seconds - seconds)

    def on_train_start(self, trainer: pl.Trainer, learner: pl.LightningModule) -> None:
        self._warm_up = WARM_UP
        self._resumed = (self.warm_seconds, self.meta_iterations)
        self._since = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        self._count()  # the drawing of the tasks, before others keep a checkpoint

    def on_train_batch_end(self, *_: Any) -> None:
        self._count()
        self.meta_iterations += not self._warm_up
        self._warm_up = max(0, self._warm_up - 1)

    def _count(self) -> None:
        passed = time.perf_counter() - self._since
        self.seconds += passed
        self.warm_seconds += 0 if self._warm_up else passed
        self._since = time.perf_counter()

    def resume(self) -> None:
        """Start counting again, after something that does not count."""
        self._since = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        warm = {"seconds": self.warm_seconds, "meta_iterations": self.meta_iterations}
        return warm | {"all_seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.warm_seconds, self.meta_iterations = state["seconds"], state["meta_iterations"]
        self.seconds = state.get("all_seconds", self.warm_seconds)  # older ones have no more


def _speed(tasks: int, seconds: float) -> float:
    return tasks / seconds if tasks else float("nan")


class Resume(pl.Callback):
    """Starts the stopwatch again; comes last among the callbacks."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self.stopwatch = stopwatch

    def on_train_batch_start(self, *_: Any) -> None:
        self.stopwatch.resume()

    def on_train_batch_end(self, *_: Any) -> None:
        self.stopwatch.resume()
