"""MAML++ (Antoniou, Edwards and Storkey 2019): the losses after all inner steps, at first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.outer import query_loss
from fewstep.algorithms.algorithm import Algorithm
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.maml import MAML
from fewstep.core.attention import twice_differentiable
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.rules import detach_state
from fewstep.core.types import Episode, EpisodeSpec, Metrics, Params, Start, State


LEAST = 0.03
"""Divided by the number of steps, the least that the loss after each but the last keeps while they
count."""


@dataclass(frozen=True)
class MultiStep(Algorithm):
    """`direction = d/dphi sum_i w_i L_query(U^i(phi))`, whose weights move to the last step.

    An epoch is `epoch` meta-iterations. After `multi_step_epochs` of them the last loss alone
    counts, as in MAML; before `first_order_until` meta-iterations the gradients of the inner loop
    are constants. Learned rates are the rule's (`lslr`), a cosine is the outer step's. There are no
    batch-norm statistics for each step, for none are kept.
    """

    inner: InnerLoop
    multi_step_epochs: int = 10
    epoch: int = 500
    first_order_until: int = 0
    weights: tuple[float, ...] | None = None
    """Of the loss after each inner step while they count; None: those of each epoch."""
    first_order: bool = False
    """Whether the gradients of the inner loop are constants in every meta-iteration."""
    replacement: bool = False

    needs_queries = True

    def __post_init__(self) -> None:
        for name, least in (("multi_step_epochs", 0), ("epoch", 1), ("first_order_until", 0)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"algorithm.{name}={getattr(self, name)}: must be at least {least}. For "
                    f"example algorithm.{name}={getattr(MultiStep, name)}"
                )
        if self.weights is not None and not (
            isinstance(self.weights, list | tuple)
            and len(self.weights) == self.inner.steps
            and all(type(w) in (int, float) and 0 <= w < math.inf for w in self.weights)
            and sum(self.weights) > 0
        ):
            shown = [*self.weights] if isinstance(self.weights, tuple) else self.weights
            raise ValueError(
                f"algorithm.weights={shown}: must be a weight of at least 0 for each of "
                f"algorithm.inner.steps={self.inner.steps}, one above 0"
            )
        if self.weights is not None and self.multi_step_epochs == 0:
            raise ValueError(
                f"algorithm.weights={[*self.weights]}: count while there are several losses, and "
                "algorithm.multi_step_epochs=0 has them in no epoch. Use "
                "algorithm.multi_step_epochs=10, or leave the weights out"
            )

    def gradients(self, spec: EpisodeSpec) -> int:
        return 2 * self.inner.steps

    def examples(self, spec: EpisodeSpec) -> int:
        more = (self.inner.steps - 1) * spec.ways * spec.queries
        return super().examples(spec) + more

    def hessian_products(self) -> int:
        return 0 if self.first_order else self.inner.steps

    @property
    def turns(self) -> tuple[int, ...]:
        return self.first_order_until, self.multi_step_epochs * self.epoch

    def at(self, meta_iteration: int, of: int) -> Algorithm:
        epoch = meta_iteration // self.epoch
        first_order = self.first_order or meta_iteration < self.first_order_until
        if epoch >= self.multi_step_epochs:
            return FOMAML(self.inner) if first_order else MAML(self.inner)
        weights = self.weights or weights_of(self.inner.steps, epoch, self.multi_step_epochs)
        return replace(self, weights=weights, first_order=first_order)

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        steps = self.inner.steps
        chosen = self.weights or weights_of(steps, 0, max(1, self.multi_step_epochs))
        x = next(iter(start.params.values()))
        weights = torch.tensor(chosen, dtype=x.dtype, device=x.device)
        fixed = (self.inner, problem.objective, self.first_order)
        with twice_differentiable():
            return problem.net.run_whole(steps, _direction, fixed, start, episode, weights)


def weights_of(steps: int, epoch: int, epochs: int) -> tuple[float, ...]:
    """Of the loss after each step in an epoch, counted from 0: even at first, and near the end of
    so many epochs almost all at the last step."""
    k = steps
    early = max(1 / k - epoch / (k * epochs), LEAST / k)
    last = min(1 / k + epoch * (k - 1) / (k * epochs), 1 - (k - 1) * LEAST / k)
    return (*[early] * (k - 1), last)


def _direction(
    net: Net,
    inner: InnerLoop,
    objective: Objective,
    first_order: bool,
    start: Start,
    episode: Episode,
    weights: Tensor,
) -> tuple[Params, State, Metrics]:
    problem = Problem(net, objective)

    def after(params: Params) -> tuple[Tensor, tuple[State, Metrics]]:
        here = inner.start(problem, Start(params, start.state), episode)
        losses, metrics = [], {}
        for k in range(inner.steps):
            here = inner.go_on(problem, here, episode, slice(k, k + 1), first_order).start
            loss, metrics = query_loss(problem, inner.finish(here), problem.queries(episode))
            losses.append(loss)
        together = torch.stack(losses)
        return weights.to(together.dtype) @ together, (detach_state(here.state), metrics)

    (state, metrics), direction = net.value_and_grad(after, start.params)
    return direction, state, metrics
