"""Learning without an inner loop: the network takes the support set, and answers at once."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.outer import query_gradient
from fewstep.algorithms.algorithm import Algorithm, refuse_learned
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Episode, Metrics, Params, Start, State


STILL = InnerLoop(SGD(1.0), steps=0)
"""An inner loop that never steps."""


@dataclass(frozen=True)
class Direct(Algorithm):
    """`direction = grad L_query(phi)`, the mean outer loss of a network that takes what it needs of
    the task besides its inputs (`takes`).

    A head of prototypes, a memory that is written in the forward pass or an in-context decoder
    learn a task so; meta-test takes no step either.
    """

    inner: InnerLoop = STILL
    """None but for its list `frozen`."""

    needs_queries = True
    has_inner_loop = False

    def __post_init__(self) -> None:
        refuse_learned(self.inner, "Direct")
        if self.inner.steps:
            raise ValueError(
                f"algorithm.inner.steps={self.inner.steps}: Direct takes no inner step: the "
                "network takes the support set itself. Leave it out, or use algorithm=fomaml"
            )

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        metrics, direction = query_gradient(problem, start.params, problem.queries(episode))
        return direction, start.state, metrics
