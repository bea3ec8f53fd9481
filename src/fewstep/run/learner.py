"""The LightningModule: runs the inner loops of a meta-batch and takes one outer step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from fewstep.adapters.partition import matches
from fewstep.algorithms import Algorithm
from fewstep.core.channels import channels_last
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.outer import OuterStep
from fewstep.core.problem import Problem
from fewstep.core.rules import State, place_state, total_of
from fewstep.core.types import Episode, Metrics, Params, Start
from fewstep.execution.base import Execution
from fewstep.execution.meta_batch import MetaBatch
from fewstep.run.averaging import Average
from fewstep.run.checks.own_trainer import check_meta_batch, check_schedule
from fewstep.run.executing import Executing
from fewstep.run.learned import Learned, ranges
from fewstep.run.measuring import Measuring


class MetaLearner(Measuring):
    """Holds the initialization and learns it; the algorithm is a part, not a subclass."""

    def __init__(
        self,
        module: nn.Module,
        algorithm: Algorithm,
        objective: Objective,
        outer: OuterStep,
        *,
        max_meta_iterations: int,
        meta_batch: int,
        execution: str = "auto",
        log_every: int = 10,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.module = channels_last(module)
        self.algorithm = algorithm
        self.objective = objective
        self.outer = outer
        self.max_meta_iterations = max_meta_iterations
        self.meta_iteration, self.meta_batch = 0, meta_batch
        self.execution_name, self.log_every = execution, log_every
        for name, parameter in self.module.named_parameters():
            if matches(name, algorithm.inner.frozen):
                parameter.requires_grad_(False)
        self.net = Net(self.module)
        self.learned = Learned(algorithm.inner.rule, self.net.params())
        self.state: State = algorithm.inner.rule.init(self.net.params())
        self.average = Average(outer.average)
        self.whole = True
        """False while an outer step is under way: not a moment to save."""
        self.config: dict[str, Any] = {}
        """The run's resolved configuration, kept in its checkpoints."""
        self.origin: dict[str, Any] = {}
        """What its checkpoints say of the data, by `fewstep.run.stored.origin`."""
        self.training: dict[str, float] = {}
        """Loss and metrics of the training tasks, by `loss` and `acc`, as they were logged last."""
        self.executing = Executing(self.net)
        self._recent: list[Metrics] = []

    @property
    def problem(self) -> Problem:
        """What is learned in each task, by the learner's own network."""
        return Problem(self.net, self.objective)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """The network's parameters that may move, and what the inner rule learns."""
        return self.net.parameters() | self.learned.by_name()

    def params(self) -> Params:
        """The initialization: their values."""
        return {name: p.detach() for name, p in self.parameters_by_name().items()}

    def start(self) -> Start:
        """Where every task starts."""
        return Start(self.params(), self.state)

    def tested(self) -> Start:
        """The same at meta-test."""
        return Start(self.average.of(self.params()), self.state)

    def moved(self) -> dict[str, nn.Parameter]:
        """What the outer step moves of it: not what each task starts anew, or is frozen by now."""
        reset, named = self.algorithm.inner.reset, self.parameters_by_name()
        anew = {n for n in self.net.parameters() if matches(n, reset)}  # of the network's alone
        return {n: p for n, p in named.items() if p.requires_grad and n not in anew}

    @property
    def execution(self) -> Execution:
        """What was chosen when the first task was met."""
        assert self.executing.made is not None, "no task has been met yet"
        return self.executing.made

    def meet(self, episode: Episode) -> Execution:
        """The execution; made for the first task, when the module is where it will train."""
        return self.executing.meet(self.execution_name, self.device, episode)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **more: Any) -> Any:
        """As a module does; the execution is made again where its copy of the network differs."""
        with self.executing.loading():
            return super().load_state_dict(state_dict, *args, **more)

    def configure_optimizers(self) -> Any:
        options = {"lr": self.outer.lr, **self.outer.options}
        optimizer = self.outer.optimizer(self.outer.groups(self.moved()), **options)
        schedule = LambdaLR(optimizer, lambda i: self.outer.scale(i, of=self.max_meta_iterations))
        return [optimizer], [schedule]

    def on_train_start(self) -> None:
        self.begin()
        for optimizer in self.trainer.optimizers:  # a resumed run may have a longer schedule
            for group in optimizer.param_groups:
                scale = self.outer.scale(self.meta_iteration, of=self.max_meta_iterations)
                group["lr"] = group["initial_lr"] * scale
        check_schedule(self.lr_schedulers()).last_epoch = self.meta_iteration  # a second fit's is 0

    def settle(self) -> None:
        self.executing.refresh()
        self.place_state()

    def place_state(self) -> None:
        """Move the inner rule's state to where the parameters are, in their precisions."""
        self.state = place_state(self.state, self.net.params())

    def training_step(self, batch: list[Episode], batch_idx: int) -> None:
        """One meta-iteration: every task's direction, their mean, one outer step."""
        check_meta_batch(len(batch), self.meta_batch)
        direction, state, metrics = self.directions(batch)
        self.hand_over(direction)
        optimizer, schedule = self.optimizers(), check_schedule(self.lr_schedulers())
        assert isinstance(optimizer, LightningOptimizer)
        optimizer.step()
        self.learned.set_back(self.algorithm.inner.rule.least)
        self.state = state
        schedule.step()  # Lightning leaves schedules alone in manual optimization
        self.meta_iteration += 1
        self.average.update(self.params())
        self.whole = True
        self.trainer.should_stop |= self.meta_iteration >= self.max_meta_iterations
        self._log_training(metrics)

    def on_before_optimizer_step(self, *_: Any) -> None:
        """From here to the end of an outer step, nothing is to be saved."""
        self.whole = False

    def directions(
        self, episodes: Sequence[Episode], execution: Execution | None = None
    ) -> tuple[Any, State, Metrics]:
        """What the aggregator sums over the meta-batch, of which `episodes` are this rank's share
        (see `hand_over`); the rule's state after it; and sums of the tasks' metrics."""
        return self._batch().total(execution or self.meet(episodes[0]), self.start(), episodes)

    def hand_over(self, total: Any) -> None:
        """Give the outer optimizer what the tasks of a meta-batch say together."""
        direction = self._batch().direction(total, self.meta_batch, self.module, self.params())
        for name, parameter in self.moved().items():
            parameter.grad = self.outer.clamped(direction[name])
        if self.outer.clip is not None:
            nn.utils.clip_grad_norm_(self.moved().values(), self.outer.clip)

    def _batch(self) -> MetaBatch:
        algorithm = self.algorithm.at(self.meta_iteration, of=self.max_meta_iterations)
        return MetaBatch(algorithm, self.objective, self.outer.aggregator)

    def _log_training(self, metrics: Metrics) -> None:
        self._recent.append(metrics)
        if self.meta_iteration % self.log_every and self.meta_iteration != self.max_meta_iterations:
            return
        tasks, sums = len(self._recent) * self.meta_batch, total_of(self._recent)
        self.training = {name: float(value) / tasks for name, value in sums.items()}
        means = {f"train/{name}": value for name, value in self.training.items()}
        self.publish(means | {f"train/{n}": value for n, value in ranges(self.params()).items()})
        self._recent = []

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["fewstep"] = {
            "config": self.config,
            "meta_iteration": self.meta_iteration,
            "inner_state": self.state,
            "recent": self._recent,
            **({"average": self.average.state_dict()} if self.average.params else {}),
            **self.origin,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        ours = checkpoint["fewstep"]
        self.meta_iteration, self.state = ours["meta_iteration"], ours["inner_state"]
        self._recent = ours.get("recent", [])  # which older checkpoints do not have
        self.average.load_state_dict(ours.get("average"))
