"""The LightningModule: runs the inner loops of a meta-batch and takes one outer step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from fewstep import shares, signals
from fewstep.algorithms import Algorithm
from fewstep.data.module import Chunk, TaskModule
from fewstep.evaluation import evaluate_task, summarize
from fewstep.execution import Execution, make_execution
from fewstep.meta_batch import total_direction
from fewstep.net import Net
from fewstep.outer import OuterStep
from fewstep.rules import State, place_state, total_of
from fewstep.types import Episode, Metrics, Params, Task


class MetaLearner(pl.LightningModule):
    """Holds the initialization and learns it; the algorithm is a part, not a subclass."""

    def __init__(
        self,
        module: nn.Module,
        algorithm: Algorithm,
        task: Task,
        outer: OuterStep,
        *,
        max_meta_iterations: int,
        meta_batch: int,
        execution: str = "auto",
        log_every: int = 10,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.module = module.to(memory_format=torch.channels_last)
        self.algorithm = algorithm
        self.task = task
        self.outer = outer
        self.max_meta_iterations = max_meta_iterations
        self.meta_batch = meta_batch
        self.execution_name = execution
        self.log_every = log_every
        self.net = Net(self.module)
        self.state: State = algorithm.inner.rule.init(self.net.params())
        self.meta_iteration = 0
        self.whole = True
        """False while an outer step is under way: not a moment to save."""
        self.config: dict[str, Any] = {}
        """The run's resolved configuration, kept in its checkpoints."""
        self.records: list[dict] = []
        """What the last test measured, a record for each setting and protocol."""
        self._execution: Execution | None = None
        self._recent: list[Metrics] = []
        self._outcomes: dict[int, list] = {}

    @property
    def tasks_seen(self) -> int:
        return self.meta_iteration * self.meta_batch

    @property
    def execution(self) -> Execution:
        """Made at the first use, when the module is where and in what precision it will train."""
        if self._execution is None:
            self._execution = make_execution(self.execution_name, self.module, self.device)
        return self._execution

    def configure_optimizers(self) -> Any:
        options = {"lr": self.outer.lr, **self.outer.options}
        optimizer = self.outer.optimizer(self.module.parameters(), **options)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda i: self.outer.scale(i, of=self.max_meta_iterations)
        )
        return [optimizer], [schedule]

    def on_train_start(self) -> None:
        self.on_test_start()
        for optimizer in self.trainer.optimizers:  # a resumed run may have a longer schedule
            for group in optimizer.param_groups:
                scale = self.outer.scale(self.meta_iteration, of=self.max_meta_iterations)
                group["lr"] = group["initial_lr"] * scale

    def place_state(self) -> None:
        """Move the inner rule's state to where the parameters are, in their precision."""
        weight = next(self.module.parameters())
        self.state = place_state(self.state, weight.device, weight.dtype)

    def training_step(self, batch: list[Episode], batch_idx: int) -> None:
        """One meta-iteration: every task's direction, their mean, one outer step."""
        direction, state, metrics = self.directions(batch)
        for name, parameter in self.module.named_parameters():
            parameter.grad = direction[name] / self.meta_batch
        self.optimizers().step()
        self.state = state
        self.lr_schedulers().step()  # Lightning leaves schedules alone in manual optimization
        self.meta_iteration += 1
        self.whole = True
        self._log_training(metrics)

    def on_before_optimizer_step(self, *_: Any) -> None:
        """From here to the end of an outer step, nothing is to be saved."""
        self.whole = False

    def directions(
        self, episodes: Sequence[Episode], execution: Execution | None = None
    ) -> tuple[Params, State, Metrics]:
        """Sums over the meta-batch, of which `episodes` are this rank's share; the rule's state.
        Run by the learner's own execution where no other is given."""
        run, params = execution or self.execution, self.net.params()
        return total_direction(run, self.algorithm, self.task, params, self.state, episodes)

    def _log_training(self, metrics: Metrics) -> None:
        self._recent.append(metrics)
        if self.meta_iteration % self.log_every and self.meta_iteration != self.max_meta_iterations:
            return
        tasks, sums = len(self._recent) * self.meta_batch, total_of(self._recent)
        self.publish({f"train/{name}": float(value) / tasks for name, value in sums.items()})
        self._recent = []

    def publish(self, metrics: dict[str, float]) -> None:
        """Hand scalars to every logger, on the axis `meta_iteration` with `tasks_seen` beside."""
        axes = {"meta_iteration": self.meta_iteration, "tasks_seen": self.tasks_seen}
        for logger in self.loggers:
            logger.log_metrics({**metrics, **axes}, step=self.meta_iteration)

    # --- meta-validation and meta-test

    def measure(self, split: str, tasks: int) -> dict:
        """Mean figures of the first setting and protocol on some tasks of a split, now."""
        module: TaskModule = self.trainer.datamodule
        setting = module.settings[0].final
        loader = module.loader(split, setting, tasks)
        outcomes = [outcome for chunk in loader for outcome in self._evaluate(chunk)]
        return summarize(shares.gathered(outcomes), setting.protocols[0], setting.curve_steps)

    def on_test_start(self) -> None:
        signals.listen()  # Lightning's handlers take part in a collective wherever they interrupt
        self.place_state()

    on_validation_start = on_test_start

    def validation_step(self, chunk: Chunk, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._outcomes.setdefault(dataloader_idx, []).extend(self._evaluate(chunk))

    def on_validation_epoch_end(self) -> None:
        self._record()

    test_step, on_test_epoch_end = validation_step, on_validation_epoch_end

    @torch.enable_grad()  # Lightning switches gradients off here, and adapting needs them
    def _evaluate(self, chunk: Chunk) -> list[dict[str, Metrics]]:
        inner, setting = self.algorithm.inner, chunk.setting
        evaluate = partial(evaluate_task, inner=inner, task=self.task, setting=setting)
        return self.execution.map(evaluate, (self.net.params(), self.state), chunk.episodes)

    def _record(self) -> None:
        outcomes, self._outcomes = self._outcomes, {}
        settings = self.trainer.datamodule.settings
        self.records = []
        for (_, share), setting in zip(sorted(outcomes.items()), settings, strict=True):
            per_task = shares.gathered(share)
            for protocol in setting.protocols:
                numbers = summarize(per_task, protocol, setting.curve_steps)
                names = per_task[0][protocol]
                final = {n: [float(t[protocol][n][-1]) for t in per_task] for n in names}
                self.records.append(
                    {"setting": setting, "protocol": protocol, "per_task": final, **numbers}
                )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["fewstep"] = {
            "config": self.config,
            "meta_iteration": self.meta_iteration,
            "inner_state": self.state,
            "recent": self._recent,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        ours = checkpoint["fewstep"]
        self.meta_iteration, self.state = ours["meta_iteration"], ours["inner_state"]
        self._recent = ours.get("recent", [])  # which older checkpoints do not have
