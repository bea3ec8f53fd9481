"""What happens between meta-iterations: timing, measuring and saving."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import SIGTERMException

from fewstep import chosen
from fewstep.chosen import Chosen
from fewstep.learner import MetaLearner
from fewstep.shares import told


WARM_UP = 5
"""Meta-iterations that the stopwatch leaves out."""


class Stopwatch(pl.Callback):
    """Wall time of the training loop alone: tasks are drawn, adapted and stepped on.

    Set-up, measuring, checkpoints and the first meta-iterations of every start are left out.
    Comes first among the callbacks, so that whatever the others do is not counted.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.meta_iterations = 0
        self._since = 0.0
        self._warm_up = WARM_UP

    def tasks_per_second(self, meta_batch: int) -> float:
        """Not a number before the warm-up is over."""
        return self.meta_iterations * meta_batch / self.seconds if self.seconds else float("nan")

    def on_train_start(self, trainer: pl.Trainer, learner: pl.LightningModule) -> None:
        self._warm_up = WARM_UP
        self._since = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        if self._warm_up:
            self._warm_up -= 1
        else:
            self.seconds += time.perf_counter() - self._since
            self.meta_iterations += 1
        self._since = time.perf_counter()

    def resume(self) -> None:
        """Start counting again, after something that does not count."""
        self._since = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "meta_iterations": self.meta_iterations}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seconds, self.meta_iterations = state["seconds"], state["meta_iterations"]


class Measure(pl.Callback):
    """Meta-validation, and the meta-test curve that is shown but never selected by."""

    def __init__(
        self, val_every: int | None, val_tasks: int, test_every: int | None, test_tasks: int
    ) -> None:
        self.val_every, self.val_tasks = val_every, val_tasks
        self.test_every, self.test_tasks = test_every, test_tasks
        self.newest: dict[str, float] = {}
        """The last meta-validation, by `acc`, `acc_ci95` and `loss`."""

    def on_train_batch_end(self, trainer: pl.Trainer, learner: MetaLearner, *_: Any) -> None:
        if self.val_every and learner.meta_iteration % self.val_every == 0:
            self.newest = self._publish(learner, "val", self.val_tasks)
        if self.test_every and learner.meta_iteration % self.test_every == 0:
            self._publish(learner, "test", self.test_tasks)

    def _publish(self, learner: MetaLearner, split: str, tasks: int) -> dict[str, float]:
        figures = {n: v for n, v in learner.measure(split, tasks).items() if n != "curve"}
        learner.publish({f"{split}/{name}": value for name, value in figures.items()})
        return figures


class Checkpoints(pl.Callback):
    """`last.ckpt` at a steady pace, and `best.ckpt` whenever meta-validation improves.

    Comes after `Measure`, so that a checkpoint knows all that was measured at its meta-iteration
    and a resumed run repeats nothing and misses nothing.
    """

    def __init__(
        self, folder: Path, every: int, measure: Measure, source: Path | None = None
    ) -> None:
        """`source` is the checkpoint that the run goes on from."""
        self.folder, self.every, self.measure, self.source = folder, every, measure, source
        self._settled = -1
        self._chosen = Chosen({})

    @property
    def best(self) -> dict[str, float]:
        """The figures of the best meta-validation so far, with its `meta_iteration`."""
        return self._chosen.figures

    @property
    def last_path(self) -> Path:
        return self.folder / "last.ckpt"

    @property
    def best_path(self) -> Path:
        return self.folder / "best.ckpt"

    def on_train_start(self, trainer: pl.Trainer, learner: MetaLearner) -> None:
        for aside in self.folder.glob("*.part") if trainer.is_global_zero else ():
            aside.unlink()  # half a checkpoint, of a run that was killed as it wrote it
        if self.source and self.best:
            looks = trainer.is_global_zero  # only its machine needs to have the files
            found = looks and chosen.held(self.best_path, self.source, self.best, learner.config)
            self._chosen = told(found)

    def on_train_batch_end(self, trainer: pl.Trainer, learner: MetaLearner, *_: Any) -> None:
        best = self.best if self._chosen.comparable else {}
        if chosen.better(self.measure.newest, best):
            figures = {**self.measure.newest, "meta_iteration": learner.meta_iteration}
            self._chosen = Chosen(figures)
            trainer.save_checkpoint(self.best_path)
        self.measure.newest = {}
        self._settled = learner.meta_iteration
        done = learner.meta_iteration == learner.max_meta_iterations
        if done or learner.meta_iteration % self.every == 0:
            trainer.save_checkpoint(self.last_path)

    def on_exception(
        self, trainer: pl.Trainer, learner: MetaLearner, exception: BaseException
    ) -> None:
        """Ctrl-C or a scheduler's SIGTERM: keep what there is, between two meta-iterations."""
        stopped = isinstance(exception, (KeyboardInterrupt, SIGTERMException))
        if stopped and learner.whole and learner.meta_iteration == self._settled:
            trainer.save_checkpoint(self.last_path)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.best)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._chosen = Chosen(dict(state))


class Resume(pl.Callback):
    """Starts the stopwatch again; comes last among the callbacks."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self.stopwatch = stopwatch

    def on_train_batch_end(self, *_: Any) -> None:
        self.stopwatch.resume()
