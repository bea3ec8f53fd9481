"""Learning without an inner loop: the network takes the support set, and answers at once."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.outer import beside, check_query_norm, query_gradient
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
    query_norm: str = "batch"
    """Whose statistics batch norms have for the queries: `batch` is their own, as one batch,
    `support` the support set's, as under the protocol `support` of meta-test."""

    needs_queries = True
    has_inner_loop = False

    def __post_init__(self) -> None:
        refuse_learned(self.inner, "Direct")
        check_query_norm(self.query_norm)
        if self.inner.steps:
            raise ValueError(
                f"algorithm.inner.steps={self.inner.steps}: Direct takes no inner step: the "
                "network takes the support set itself. Leave it out, or use algorithm=fomaml"
            )

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        support_x = beside(problem, episode, self.query_norm)
        queries = problem.queries(episode)
        metrics, direction = query_gradient(problem, start.params, queries, support_x)
        return direction, start.state, metrics
