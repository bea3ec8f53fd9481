"""Meta-validation and meta-test of a learner, as Lightning asks for them."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import pytorch_lightning as pl
import torch

from fewstep.adapters.meta_test import evaluate_task
from fewstep.algorithms import Algorithm
from fewstep.core.objectives import Objective
from fewstep.core.types import Episode, Start
from fewstep.execution import collectives
from fewstep.execution.base import Execution
from fewstep.processes import signals
from fewstep.run.checks.own_trainer import check_tested, check_trainer
from fewstep.run.episodes import Chunk, TaskModule
from fewstep.run.testing.summary import Figures, as_numbers, records, summarize


class Measuring(pl.LightningModule):
    """What is measured of an initialization; whoever inherits holds it."""

    algorithm: Algorithm
    objective: Objective
    meta_iteration: int
    meta_batch: int

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict] = []
        """What the last test measured, a record for each setting and protocol."""
        self.outcomes: dict[int, list] = {}
        """What the tasks of the test under way have said, by their setting."""

    @abstractmethod
    def tested(self) -> Start:
        """Where every task starts at meta-test."""

    @abstractmethod
    def meet(self, episode: Episode) -> Execution:
        """What runs the tasks."""

    @abstractmethod
    def settle(self) -> None:
        """Be where the parameters are now, with all that is held beside them."""

    @property
    def tasks_seen(self) -> int:
        return self.meta_iteration * self.meta_batch

    def publish(self, metrics: dict[str, float]) -> None:
        """Hand scalars to every logger, on the axis `meta_iteration` with `tasks_seen` beside."""
        axes = {"meta_iteration": self.meta_iteration, "tasks_seen": self.tasks_seen}
        for logger in self.loggers:
            logger.log_metrics({**metrics, **axes}, step=self.meta_iteration)

    def measure(self, split: str, tasks: int) -> dict:
        """Mean figures of the first setting and protocol on some tasks of a split, now."""
        own = TaskModule.of(self.trainer)
        setting = own.settings[0].final
        loader = own.loader(split, setting, tasks)
        outcomes = [outcome for chunk in loader for outcome in self._evaluate(chunk)]
        return summarize(
            collectives.all_gather(outcomes), setting.protocols[0], setting.curve_steps
        )

    def on_test_start(self) -> None:
        check_tested(TaskModule.of(self.trainer).tasks)
        self.begin()

    def begin(self) -> None:
        """Get ready for a trainer's first task, of a training or of a test."""
        signals.listen()  # Lightning's handlers take part in a collective wherever they interrupt
        check_trainer(self.trainer)
        self.settle()

    on_validation_start = on_test_start

    def validation_step(self, chunk: Chunk, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.outcomes.setdefault(dataloader_idx, []).extend(self._evaluate(chunk))

    def on_validation_epoch_end(self) -> None:
        self._record()
        first = {f"val/{n}": v for n, v in self.records[0].items() if isinstance(v, float)}
        self.log_dict(first, sync_dist=self.trainer.world_size > 1)  # for a user's own callbacks

    test_step = validation_step

    def on_test_epoch_end(self) -> None:
        self._record()

    @torch.enable_grad()  # Lightning switches gradients off here, and adapting needs them
    def _evaluate(self, chunk: Chunk) -> list[dict[str, Figures]]:
        inner, setting = self.algorithm.inner, chunk.setting
        evaluate = partial(evaluate_task, inner=inner, objective=self.objective, setting=setting)
        execution = self.meet(chunk.episodes[0])
        return as_numbers(execution.map(evaluate, (self.tested(),), chunk.episodes))

    def _record(self) -> None:
        outcomes, self.outcomes = self.outcomes, {}
        settings = TaskModule.of(self.trainer).settings
        self.records = [
            record
            for (_, share), setting in zip(sorted(outcomes.items()), settings, strict=True)
            for record in records(collectives.all_gather(share), setting)
        ]
