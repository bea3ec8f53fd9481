"""What happens between meta-iterations: measuring and saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import SIGTERMException

from fewstep.disk.files import CannotWrite
from fewstep.execution.collectives import broadcast
from fewstep.processes import signals
from fewstep.run.experiment import Experiment, Schedule
from fewstep.run.learner import MetaLearner
from fewstep.run.lightning import IN_MEMORY, WholeCheckpoints
from fewstep.run.stored import chosen
from fewstep.run.stored.chosen import Chosen


class Measure(pl.Callback):
    """Meta-validation, and the meta-test curve that is shown but never selected by."""

    def __init__(self, schedule: Schedule, has_val: bool = True) -> None:
        """`has_val` says whether there is a validation split to measure on."""
        self.val_every = schedule.val_every if has_val else None
        self.test_every = schedule.test_every
        self.val_tasks, self.test_tasks = schedule.val_tasks, schedule.test_tasks
        self.newest: dict[str, float] = {}
        """The last meta-validation, by `acc`, `acc_ci95` and `loss`."""

    def due(self, meta_iteration: int) -> bool:
        """Whether there is something to measure after a meta-iteration."""
        return any(every and meta_iteration % every == 0 for every in self._every)

    @property
    def _every(self) -> tuple[int | None, int | None]:
        return self.val_every, self.test_every

    def on_train_batch_end(self, trainer: pl.Trainer, learner: MetaLearner, *_: Any) -> None:
        if not self.due(learner.meta_iteration):
            return
        with signals.interruptible():  # it takes a while, and `Checkpoints` can do without
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
    and a resumed run repeats nothing and misses nothing. From an outer step until all of that is
    done no signal interrupts, but for the measuring, before which a checkpoint is kept in memory:
    a stop at whatever moment leaves the last meta-iteration that was whole, or the one before.
    """

    def __init__(self, folder: Path, experiment: Experiment, measure: Measure) -> None:
        self.folder, self.measure = folder, measure
        self.every, self.source = experiment.schedule.checkpoint_every, experiment.resume
        self.criterion = experiment.test.criterion(experiment.schedule)
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
        self._settled = learner.meta_iteration
        for aside in self.folder.glob("*.part") if trainer.is_global_zero else ():
            aside.unlink()  # half a checkpoint, of a run that was killed as it wrote it
        if self.source and self.best:
            found = self._chosen
            if trainer.is_global_zero:  # only its machine needs to have the files
                found = chosen.held(self.best_path, self.source, self.best, self.criterion)
            self._chosen = broadcast(found)

    def on_train_batch_start(self, trainer: pl.Trainer, learner: MetaLearner, *_: Any) -> None:
        if self.measure.due(learner.meta_iteration + 1) and trainer.is_global_zero:
            trainer.save_checkpoint(self.last_path, storage_options=IN_MEMORY)

    def on_before_optimizer_step(self, *_: Any) -> None:
        signals.hold()

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
        WholeCheckpoints.of(trainer).forget()
        signals.hold(False)
        signals.proceed()

    def on_exception(
        self, trainer: pl.Trainer, learner: MetaLearner, exception: BaseException
    ) -> None:
        """Ctrl-C or a scheduler's SIGTERM: keep what there is, between two meta-iterations.

        What is raised then may be of a rank that does not answer any more.
        """
        stopped = signals.asked() or isinstance(exception, (KeyboardInterrupt, SIGTERMException))
        signals.hold(False)
        if not stopped or not trainer.is_global_zero or isinstance(exception, CannotWrite):
            return
        if learner.whole and learner.meta_iteration == self._settled:
            trainer.save_checkpoint(self.last_path)
        else:
            WholeCheckpoints.of(trainer).keep()

    def state_dict(self) -> dict[str, Any]:
        return dict(self.best)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._chosen = Chosen(dict(state))
