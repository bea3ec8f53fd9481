"""Joint training, the k = 1 case: the baseline that every meta-learner must beat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import gather
from fewstep.algorithms.algorithm import Algorithm
from fewstep.core.problem import Problem
from fewstep.core.rules.gathered import Gathered
from fewstep.core.types import Episode, Metrics, Params, Start, State


@dataclass(frozen=True)
class Joint(Algorithm):
    """Descend the average loss of all tasks, without adapting to any (section 5.1, k = 1).

    `direction = mean_j grad L_j(phi)` over the minibatches j of the inner loop, each taken at the
    initialization itself: as many inner gradients as Reptile takes, but none sees another.
    The inner rule does not move anything; it still meets the gradients, so that meta-test starts
    from a trained second moment here as it does for the others. What it could learn stays at its
    initial values.
    """

    inner: InnerLoop
    replacement: bool = False

    @cached_property
    def _still(self) -> InnerLoop:
        """The inner loop in place, with nothing fixed."""
        rule = Gathered(self.inner.rule, (1.0,) * self.inner.steps, moves=False)
        return replace(self.inner.whole, rule=rule)

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        begun = Start(start.params, self.inner.start(problem, start, episode).state)
        total, state, metrics = gather(self._still, problem, begun, episode)
        grads = {name: g / len(episode.batches) for name, g in total.items()}
        zeros = {name: torch.zeros_like(p) for name, p in start.params.items()}
        return zeros | grads, state, metrics
