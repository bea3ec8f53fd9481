"""Any weighted sum of the inner loop's gradients (Nichol et al. 2018, section 6.2, Figure 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fewstep.adapters.beginning import pull_back
from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import gather
from fewstep.algorithms.algorithm import Algorithm, refuse_fixed, refuse_learned
from fewstep.core.problem import Problem
from fewstep.core.rules.gathered import Gathered
from fewstep.core.types import Episode, Metrics, Params, Start, State


class Combination(Algorithm):
    """Adapt, and say which of the gradients met on the way count, and how much.

    `direction = sum_i weights[i] g_i`, where `g_i` is the gradient of the inner objective on the
    i-th minibatch, at the parameters that the updates before it have led to. `[1, 0]` is joint
    training, `[0, 1]` two-step FOMAML with the tail `cycle`, `[1, 1]` two-step Reptile.

    The gradients do not carry the inner learning rate as Reptile's direction does: under SGD
    weights of one are that direction over `inner.lr`, so that the authors' outer step eps is an
    outer learning rate of `eps * inner.lr` here.
    """

    def __init__(self, inner: InnerLoop, weights: Sequence[float]) -> None:
        """
        Args:
            inner: the inner loop.
            weights: a number for each of its steps.

        Raises:
            ValueError: weights that are not one number a step, or all zero; fixed parameters.
        """
        given = f"algorithm.weights={weights}"
        fix = f"For example algorithm.weights={[0] * (inner.steps - 1) + [1]}"
        if not _are_numbers(weights):
            raise ValueError(f"{given}: must be a list of finite numbers. {fix}")
        if len(weights) != inner.steps:
            raise ValueError(
                f"{given}: has {len(weights)} entries, and algorithm.inner.steps={inner.steps} "
                f"needs one for each step. {fix}"
            )
        if not any(weights):
            raise ValueError(f"{given}: are all zero, so that nothing is learned. {fix}")
        refuse_fixed(inner, "a combination")
        refuse_learned(inner, "a combination")
        self.inner = inner
        self.weights = tuple(weights)
        self._loop = replace(inner, rule=Gathered(inner.rule, tuple(map(float, weights))))

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        begun = self.inner.start(problem, start, episode)
        total, state, metrics = gather(self._loop, problem, begun, episode)
        return pull_back(self.inner, problem, start, episode, total), state, metrics


def _are_numbers(weights: Any) -> bool:
    return isinstance(weights, Sequence) and all(
        isinstance(w, (int, float)) and not isinstance(w, bool) and math.isfinite(w)
        for w in weights
    )
