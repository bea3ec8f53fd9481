"""The way that a task took from where it started, and derivatives at each of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.again import again
from fewstep.adapters.beginning import pull_back
from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.outer import query_gradient
from fewstep.core.attention import twice_differentiable
from fewstep.core.memory import Mark
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.rules import Rule, inner_product
from fewstep.core.rules.gathered import Gathered
from fewstep.core.rules.learned import split
from fewstep.core.types import Episode, Examples, Metrics, Params, Start, State


class Path:
    """Steps k = 0, 1, ... of an inner loop on one task, from `params[0]` to `params[steps]`.

    Parameters hold what the rule learns too, below `inner/`. All derivatives are products with a
    vector that has the names of the parameters; one step's graph is held at a time.
    """

    def __init__(
        self,
        inner: InnerLoop,
        problem: Problem,
        start: Start,
        episode: Episode,
        kept: int | None = None,
    ) -> None:
        """`kept`: the last steps that will be asked about; None is all of them."""
        self.inner, self.problem, self.steps = inner, problem, inner.steps
        self._origin, self._episode = start, episode
        self._at = {0: inner.start(problem, start, episode)}
        self.first = self._at[0].params
        """Where the task starts: the initialization itself, but for what is its own."""
        self.metrics: Metrics = {}
        """Of the last inner minibatch, before its step."""
        self._marks: list[Mark] = []
        for k in range(inner.steps):
            self._marks.append(problem.net.mark())
            step = inner.go_on(problem, self._at[k], episode, slice(k, k + 1))
            self._at[k + 1] = step.start
            self.metrics = step.metrics
            if kept is not None and k < inner.steps - kept:
                del self._at[k]

    @property
    def params(self) -> list[Params]:
        """The parameters before each step that is kept, and after the last."""
        return [at.params for at in self._at.values()]

    @property
    def state(self) -> State:
        """What the rule remembers at the end."""
        return self._at[self.steps].state

    def query_gradient(self) -> tuple[Metrics, Params]:
        """`(metrics, v)`, with v the gradient of the query loss by the parameters after the last
        step, from which the rule makes those that predict."""
        end, queries = self._at[self.steps], self.problem.queries(self._episode)
        metrics, v = query_gradient(self.problem, self.inner.finish(end), queries)
        if type(self.inner.rule).finish is Rule.finish:
            return metrics, v
        return metrics, self.problem.net.run(_from_answer, (self.inner,), end, v)

    def gradient(self, k: int, at: Params) -> Params:
        """That of step k's inner objective at some parameters: 0 for what is fixed."""
        with self._again(k):
            return self.inner.gradient(self.problem, at, self._minibatch(k))[1]

    def slope(self, k: int, at: Params) -> Params:
        """The same by all parameters, those that are fixed included."""
        with self._again(k):
            return self.inner.whole.gradient(self.problem, at, self._minibatch(k))[1]

    def vjp(self, k: int, v: Params) -> Params:
        """J^T v, with J the derivative of step k's end by its start, the rule's memory a constant:
        under SGD (I - a H) v."""
        return self._run(_vjp, k, self._at[k], v, False)

    @property
    def side_by_side(self) -> bool:
        """Whether several steps are met at once, as several tasks are."""
        return self.problem.net.functional

    def vjps(self, first: int, vs: Sequence[Params]) -> list[Params]:
        """J^T v of as many steps, from the first on, each with a v of its own: all at once, as
        where launching a kernel costs more than running it."""
        ks = range(first, first + len(vs))
        parts = [(self._at[k], self._minibatch(k), v) for k, v in zip(ks, vs, strict=True)]
        at, examples, v = pytree.tree_map(lambda *same: torch.stack(same), *parts)
        net, objective = self.problem.net, self.problem.objective

        def one(at: Start, examples: Examples, v: Params) -> Params:
            return _vjp(net, self.inner, objective, False, at, examples, v)

        with twice_differentiable():
            found = torch.func.vmap(one)(at, examples, v)
        return [{name: e[i] for name, e in found.items()} for i in range(len(vs))]

    def first_order(self, k: int, v: Params) -> Params:
        """The same with the gradient a constant: under SGD v itself."""
        return self._run(_vjp, k, self._at[k], v, True)

    def hessian(self, k: int, at: Params, v: Params) -> Params:
        """H v, with H the Hessian of step k's inner objective at some parameters."""
        return self._run(_hessian, k, at, v)

    def to_start(self, v: Params) -> Params:
        """From a derivative by `params[0]` to one by the initialization."""
        return pull_back(self.inner, self.problem, self._origin, self._episode, v)

    def _minibatch(self, k: int) -> Examples:
        return self.problem.minibatch(self._episode, self._episode.batches[k])

    def _again(self, k: int) -> AbstractContextManager[None]:
        """Inside, the network is where it was before step k."""
        return again(self.problem.net, self._marks[k])

    def _run(self, function: Any, k: int, at: Any, v: Params, *how: Any) -> Params:
        fixed = (self.inner, self.problem.objective, *how)
        with twice_differentiable(), self._again(k):
            return self.problem.net.run(function, fixed, at, self._minibatch(k), v)


def _vjp(
    net: Net,
    inner: InnerLoop,
    objective: Objective,
    first_order: bool,
    at: Start,
    examples: Examples,
    v: Params,
) -> Params:
    def along(params: Params) -> tuple[Tensor, tuple[()]]:
        end = inner.one_step(
            Problem(net, objective), at._replace(params=params), examples, first_order
        )
        return inner_product(end, v), ()

    return net.value_and_grad(along, at.params)[1]


def _from_answer(net: Net, inner: InnerLoop, end: Start, v: Params) -> Params:
    """From a derivative by what predicts to one by the end of the path."""

    def along(params: Params) -> tuple[Tensor, tuple[()]]:
        return inner_product(inner.finish(end._replace(params=params)), v), ()

    return net.value_and_grad(along, end.params)[1]


def _hessian(
    net: Net,
    inner: InnerLoop,
    objective: Objective,
    at: Params,
    examples: Examples,
    v: Params,
) -> Params:
    def along(params: Params) -> tuple[Tensor, tuple[()]]:
        gradient = inner.gradient(Problem(net, objective), params, examples)[1]
        return inner_product(gradient, v), ()

    return net.value_and_grad(along, at)[1]


def gather(
    loop: InnerLoop, problem: Problem, start: Start, episode: Episode
) -> tuple[Params, State, Metrics]:
    """`(sum_i weights[i] g_i, the state, the metrics)` of the gradients that a loop whose rule is
    `Gathered` meets from where a task starts."""
    rule = loop.rule
    assert isinstance(rule, Gathered)
    state = rule.gathering(split(start.params)[0], start.state)
    end = loop.go_on(problem, Start(start.params, state), episode)
    return *rule.gathered(end.state), end.metrics
