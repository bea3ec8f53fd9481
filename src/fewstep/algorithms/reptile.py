"""Reptile (Nichol, Achiam and Schulman 2018, algorithms 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.adapters.beginning import pull_back
from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.algorithm import Algorithm, refuse_fixed, refuse_learned
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Metrics, Params, Start, State


@dataclass(frozen=True)
class Reptile(Algorithm):
    """Learn the task; the way from where that ended back to the start is the gradient.

    `direction = phi - phi~`, with `phi~ = U^k(phi)`: an outer SGD with learning rate eps then does
    `phi <- phi + eps (phi~ - phi)`. One task a meta-batch is the paper's serial algorithm 1, more
    are its batched algorithm 2. No query set is read.
    """

    inner: InnerLoop
    replacement: bool = False

    def __post_init__(self) -> None:
        refuse_fixed(self.inner, "Reptile")
        refuse_learned(self.inner, "Reptile")

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        begun = self.inner.start(problem, start, episode)
        adapted = self.inner.go_on(problem, begun, episode)
        end = self.inner.finish(adapted.start)
        way = {name: p - end[name] for name, p in begun.params.items()}
        direction = pull_back(self.inner, problem, start, episode, way)
        return direction, adapted.state, adapted.metrics
