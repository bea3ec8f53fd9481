"""MAML (Finn, Abbeel and Levine 2017), second order through any number of inner steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.outer import query_loss
from fewstep.algorithms.algorithm import Algorithm
from fewstep.core.attention import twice_differentiable
from fewstep.core.memory import Mark
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.rules import detach_state, inner_product
from fewstep.core.types import Episode, Metrics, Params, Start, State


class Segment(NamedTuple):
    """Consecutive inner steps, and where they began."""

    rows: slice | None
    """None is the start of the task itself, before any step."""
    start: Start
    mark: Mark
    """Of the network, whose noise and memory are to be the same on the way back."""


@dataclass(frozen=True)
class MAML(Algorithm):
    """The gradient of the query loss after adaptation, with respect to the initialization.

    `direction = d/dphi L_query(U^k(phi))`, through the whole inner loop (section 2, eq. 2).
    The state of the inner rule is a constant of the task: no derivative flows into it from the
    tasks before.
    """

    inner: InnerLoop
    checkpoint_steps: int | None = None
    """Inner steps whose graph is held at a time; None holds that of the whole inner loop. The same
    direction, for one more pass of the inner loop: only the parameters that each segment of this
    many steps starts from are kept, and its graph is made again on the way back."""
    replacement: bool = False

    needs_queries = True

    def __post_init__(self) -> None:
        n, steps = self.checkpoint_steps, self.inner.steps
        if n is not None and n >= steps:
            raise ValueError(
                f"algorithm.checkpoint_steps={n}: must be below algorithm.inner.steps={steps}, for "
                "one segment of all steps saves no memory. Lower it, or set it to null"
            )

    def hessian_products(self) -> int:
        return self.inner.steps  # one a step on the way back

    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        if self.checkpoint_steps is not None:
            return self._in_segments(self.checkpoint_steps, problem, start, episode)

        fixed = (self.inner, problem.objective)
        with twice_differentiable():
            return problem.net.run_whole(self.inner.steps, _direction, fixed, start, episode)

    def _in_segments(
        self, steps: int, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        """The chain rule by hand, from the query loss back over one segment of so many steps after
        another."""
        inner, segments = self.inner, [Segment(None, start, problem.net.mark())]
        here = inner.start(problem, start, episode)
        for first in range(0, inner.steps, steps):
            rows = slice(first, first + steps)
            segments.append(Segment(rows, here, problem.net.mark()))
            here = inner.go_on(problem, here, episode, rows).start

        def after(variables: dict[str, Tensor]) -> tuple[Tensor, Metrics]:
            predicts = inner.finish(_with(here, variables))
            return query_loss(problem, predicts, problem.queries(episode))

        metrics, slopes = problem.net.value_and_grad(after, _variables(here))
        while segments:
            slopes = self._pull_back(problem, segments.pop(), slopes, episode)
        # The rule's state comes after the parameters.
        return dict(zip(start.params, slopes.values(), strict=False)), here.state, metrics

    def _pull_back(
        self, problem: Problem, segment: Segment, slopes: dict[str, Tensor], episode: Episode
    ) -> dict[str, Tensor]:
        """From derivatives by what a segment ends with to those by what it starts from, both
        parameters and the rule's state: a vector-Jacobian product."""
        inner, (rows, start, mark) = self.inner, segment
        if rows is None and inner.is_plain:
            return slopes
        problem.net.rewind(mark)

        def along(variables: dict[str, Tensor]) -> tuple[Tensor, tuple[()]]:
            here = _with(start, variables)
            if rows is None:
                end = inner.start(problem, here, episode)
            else:
                end = inner.go_on(problem, here, episode, rows).start
            return inner_product(slopes, _variables(end)), ()

        with twice_differentiable():
            return problem.net.value_and_grad(along, _variables(start))[1]


def _direction(
    net: Net, inner: InnerLoop, objective: Objective, start: Start, episode: Episode
) -> tuple[Params, State, Metrics]:
    problem = Problem(net, objective)

    def after(params: Params) -> tuple[Tensor, tuple[State, Metrics]]:
        end = inner.adapt(problem, Start(params, start.state), episode)
        predicts = inner.finish(end.start)
        loss, metrics = query_loss(problem, predicts, problem.queries(episode))
        return loss, (detach_state(end.state), metrics)

    # A leaf of our own: adapting from it is differentiable, and its gradient is first order.
    (state, metrics), direction = net.value_and_grad(after, start.params)
    return direction, state, metrics


def _variables(start: Start) -> dict[str, Tensor]:
    """What derivatives are taken by, the parameters first: a counter in the state is not."""
    leaves, _ = pytree.tree_flatten_with_path((start.params, start.state))
    return {pytree.keystr(path): v for path, v in leaves if v.is_floating_point()}


def _with(start: Start, variables: dict[str, Tensor]) -> Start:
    """The start with those in place of its own."""
    return Start(
        *pytree.tree_map_with_path(
            lambda path, value: variables.get(pytree.keystr(path), value), tuple(start)
        )
    )
