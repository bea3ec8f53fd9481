"""Joint training, the k = 1 case: the baseline that every meta-learner must beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.algorithm import Algorithm
from fewstep.core.problem import Problem
from fewstep.core.rules import total_of
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

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        grads, metrics, whole = [], {}, self.inner.whole
        params, state = self.inner.start(problem, start, episode)
        for batch in episode.batches:
            examples = problem.minibatch(episode, batch)
            metrics, grad = whole.gradient(problem, start.params, examples)
            _, state = self.inner.step(Start(params, state), grad)
            grads.append(grad)
        mean = {name: g / len(grads) for name, g in total_of(grads).items()}
        direction = {n: mean[n] if n in mean else torch.zeros_like(p) for n, p in params.items()}
        return direction, state, metrics
