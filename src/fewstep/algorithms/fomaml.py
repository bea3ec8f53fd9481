"""First-order MAML (Finn, Abbeel and Levine 2017, section 5.2; Nichol et al. 2018, section 2)."""

from __future__ import annotations

from typing import Any

from fewstep.adapters.beginning import pull_back
from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.outer import beside, check_query_norm, query_gradient, query_loss
from fewstep.algorithms.algorithm import Algorithm, refuse_fixed, refuse_learned
from fewstep.core.problem import Problem
from fewstep.core.rules import detach_state
from fewstep.core.types import Episode, Examples, Metrics, Params, Start, State


TAILS = ("separate", "cycle", "replacement")
DIRECTIONS = ("gradient", "last_step")


class FOMAML(Algorithm):
    """Adapt, then take the gradient of one more minibatch, the tail, at the adapted parameters.

    `direction = grad L_tail(phi~)`: MAML's gradient with the derivative of the inner loop
    replaced by the identity. `inner.steps` counts the updates before the tail, so the authors'
    `inner_iters` is `steps + 1`.
    """

    def __init__(
        self,
        inner: InnerLoop,
        tail: str = "separate",
        direction: str = "gradient",
        query_norm: str = "batch",
    ) -> None:
        """
        Args:
            inner: the inner loop before the tail.
            tail: where the tail comes from (section 6.3): the query set (`separate`), the next
                minibatch of the support's stream (`cycle`), or one drawn anew like all the others
                (`replacement`).
            direction: `gradient` is that of the mean outer loss of the tail. `last_step` is the
                inner rule's own step on the tail, as the authors' code has it (trap 13): it
                carries the inner learning rate and, under Adam, its scaling.
            query_norm: whose statistics batch norms have for the queries. `batch` is their own, as
                one batch, `support` the support set's at the adapted parameters, as under the
                protocol `support` of meta-test; the gradient flows through them.

        Raises:
            ValueError: an unknown tail, direction or norm, or one for queries where there are none.
        """
        if tail not in TAILS:
            raise ValueError(f"algorithm.tail={tail!r}: must be one of {', '.join(TAILS)}")
        if direction not in DIRECTIONS:
            known = ", ".join(DIRECTIONS)
            raise ValueError(f"algorithm.direction={direction!r}: must be one of {known}")
        if direction == "last_step":
            refuse_fixed(inner, "algorithm.direction=last_step")
            refuse_learned(inner, "algorithm.direction=last_step")
        check_query_norm(query_norm)
        _check_has_queries(query_norm, tail, direction)
        self.inner = inner
        self.tail = tail
        self.query_norm = query_norm
        self.last_step = direction == "last_step"

    @property
    def needs_queries(self) -> bool:
        return self.tail == "separate"

    @property
    def replacement(self) -> bool:
        return self.tail == "replacement"

    @property
    def batches(self) -> int:
        return self.inner.steps + (self.tail != "separate")

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        if self.last_step:
            return self._last_step(problem, start, episode)
        if not self.inner.is_plain:
            return self._through_the_rule(problem, start, episode)
        adapted = self.inner.adapt(problem, start, episode, self._rows)
        tail, support_x = self._tail(problem, episode), beside(problem, episode, self.query_norm)
        metrics, grads = query_gradient(problem, adapted.params, tail, support_x)
        return grads, adapted.state, metrics

    def _last_step(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        adapted = self.inner.adapt(problem, start, episode, self._rows)
        tail = self._tail(problem, episode)
        metrics, grads = self.inner.gradient(problem, adapted.params, tail)
        end, last = self.inner.step(adapted.start, grads)
        way = {name: p - end[name] for name, p in adapted.params.items()}
        return pull_back(self.inner, problem, start, episode, way), last, metrics

    def _through_the_rule(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        """Where the start, the rule's hyper-parameters or what predicts have derivatives of their
        own: these are taken, with the gradients on the way as constants."""

        support_x = beside(problem, episode, self.query_norm)

        def after(params: Params) -> tuple[Any, tuple[State, Metrics]]:
            begun = self.inner.start(problem, Start(params, start.state), episode)
            end = self.inner.go_on(problem, begun, episode, self._rows, first_order=True)
            predicts, tail = self.inner.finish(end.start), self._tail(problem, episode)
            loss, metrics = query_loss(problem, predicts, tail, support_x)
            return loss, (detach_state(end.state), metrics)

        (state, metrics), direction = problem.net.value_and_grad(after, start.params)
        return direction, state, metrics

    @property
    def _rows(self) -> slice:
        return slice(0, self.inner.steps)

    def _tail(self, problem: Problem, episode: Episode) -> Examples:
        if self.tail == "separate":
            return problem.queries(episode)
        return problem.minibatch(episode, episode.batches[self.inner.steps])


def _check_has_queries(query_norm: str, tail: str, direction: str) -> None:
    """Raise ValueError where the outer step has no loss of queries apart from the support set."""
    for key, value, own in (("tail", tail, TAILS[0]), ("direction", direction, DIRECTIONS[0])):
        if query_norm == "support" and value != own:
            raise ValueError(
                f"algorithm.query_norm=support: is of the query set's loss, and algorithm.{key}="
                f"{value} takes none. Use algorithm.{key}={own}, or algorithm.query_norm=batch"
            )
