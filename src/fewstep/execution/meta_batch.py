"""What the tasks of a meta-batch say together about the initialization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from fewstep.algorithms import Algorithm
from fewstep.core.aggregate import Aggregator, Mean
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.rules import State, total_of
from fewstep.core.types import Episode, Metrics, Params, Start
from fewstep.execution import collectives
from fewstep.execution.base import Execution


@dataclass(frozen=True)
class MetaBatch:
    """What is made of the tasks of a meta-iteration."""

    algorithm: Algorithm
    objective: Objective
    aggregator: Aggregator = field(default_factory=Mean)

    def total(
        self, execution: Execution, start: Start, episodes: Sequence[Episode]
    ) -> tuple[Any, State, Metrics]:
        """Sums of what the tasks contribute and of their metrics, and the state that the inner rule
        is left in.

        All tasks start from the same parameters (trap 8); only the rule's state moves on.
        `episodes` are this rank's share of the meta-batch, the sums are over all ranks.
        """
        inner, (params, state) = self.algorithm.inner, start
        if inner.state == "sequential":
            found = []
            for episode in episodes:
                (one,) = execution.map(self._outcome, (Start(params, state),), [episode])
                contribution, end, metrics = one
                state = {name: end[name] for name in state}  # not what is the task's own
                found.append((contribution, metrics))
            total, metrics = collectives.all_reduce(total_of(found))
            return total, state, metrics
        begun = inner.rule.init(params) if inner.state == "reset" else state
        total, added, metrics = collectives.all_reduce(
            execution.total(self._outcome, (Start(params, begun),), episodes)
        )
        return total, inner.rule.apply(begun, added) if inner.state == "carry" else begun, metrics

    def direction(self, total: Any, tasks: int, module: nn.Module, params: Params) -> Params:
        """The gradient that the outer optimizer is handed, of the sum over so many tasks."""
        if not self.algorithm.uploads:
            return self.aggregator.apply(total, tasks)
        moves = self.aggregator.apply(total["moves"], tasks)
        return moves | self.algorithm.together(module, params, total["uploads"])

    def _outcome(self, net: Net, start: Start, episode: Episode) -> tuple[Any, State, Metrics]:
        """One task's contribution, what is kept of the rule's state, and metrics."""
        problem, inner = Problem(net, self.objective), self.algorithm.inner
        direction, end, metrics = self.algorithm.direction(problem, start, episode)
        direction = {name: direction[name] for name in start.params}  # in one order on every rank
        contribution, kept = self.aggregator.contribution(direction, problem, episode), end
        if self.algorithm.uploads:
            there = {name: p - direction[name] for name, p in start.params.items()}
            uploads = self.algorithm.upload(problem, there, episode)
            contribution = {"moves": contribution, "uploads": uploads}
        if inner.state == "carry":
            # What is summed over tasks is worked out here, where tasks run side by side.
            kept = inner.rule.contribution(start.state, end)
        elif inner.state == "reset":
            kept = {}
        return contribution, kept, metrics
