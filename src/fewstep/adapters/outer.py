"""The loss that the outer step descends, after a task was learned."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fewstep.adapters.gradient import detached
from fewstep.core.net import Net
from fewstep.core.objectives import Objective, ask
from fewstep.core.problem import Problem
from fewstep.core.types import Examples, Metrics, Params


def query_loss(problem: Problem, params: Params, queries: Examples) -> tuple[Tensor, Metrics]:
    """The mean outer loss of some examples, and scalars to log."""
    loss, outputs = _loss(problem.net, problem.objective, params, queries)
    return loss, problem.metrics(outputs, queries)


def query_gradient(problem: Problem, params: Params, queries: Examples) -> tuple[Metrics, Params]:
    """`(metrics, gradient)` of the mean outer loss by the adapted parameters."""
    outputs, grads = problem.net.run(_gradient, (problem.objective,), params, queries)
    return problem.metrics(outputs, queries), grads


def _loss(net: Net, objective: Objective, params: Params, queries: Examples) -> tuple[Tensor, Any]:
    outputs = net(params, queries.x, queries.given)
    losses = ask(objective, "outer_loss", outputs, queries.y, queries.given)
    return losses.mean(), detached(outputs)


def _gradient(
    net: Net, objective: Objective, params: Params, queries: Examples
) -> tuple[Any, Params]:
    return net.value_and_grad(lambda leaves: _loss(net, objective, leaves, queries), params)
