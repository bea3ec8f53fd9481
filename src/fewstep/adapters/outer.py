"""The loss that the outer step descends, after a task was learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import detached
from fewstep.core.frozen_norm import learned_by, normalized_by, norms
from fewstep.core.net import Net
from fewstep.core.objectives import Objective, ask
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Examples, Metrics, Params


QUERY_NORMS = ("batch", "support")
"""Whose statistics a batch norm has for a training task's queries: their own, as one batch, or
those of the task's support set, as under the protocol `support` of meta-test."""


def check_query_norm(query_norm: str) -> None:
    """Raise ValueError for an unknown one."""
    if query_norm not in QUERY_NORMS:
        raise ValueError(
            f"algorithm.query_norm={query_norm}: must be one of {', '.join(QUERY_NORMS)}. For "
            "example algorithm.query_norm=support"
        )


def beside(problem: Problem, episode: Episode, query_norm: str) -> Tensor | None:
    """The support inputs [S, *x] whose statistics the queries are normalized with; None where it is
    their own, and where no layer has any."""
    asked = query_norm == "support" and norms(problem.net.module)
    return episode.support_x if asked else None


def query_loss(
    problem: Problem, params: Params, queries: Examples, support_x: Tensor | None = None
) -> tuple[Tensor, Metrics]:
    """The mean outer loss of some examples, and scalars to log. With `support_x` batch norms have
    their statistics, of which the loss is a function too."""
    loss, outputs = _loss(problem.net, problem.objective, params, queries, support_x)
    return loss, problem.metrics(outputs, queries)


def query_gradient(
    problem: Problem, params: Params, queries: Examples, support_x: Tensor | None = None
) -> tuple[Metrics, Params]:
    """`(metrics, gradient)` of the mean outer loss by the adapted parameters."""
    args = (params, queries) if support_x is None else (params, queries, support_x)
    outputs, grads = problem.net.run(_gradient, (problem.objective,), *args)
    return problem.metrics(outputs, queries), grads


def by_support(
    net: Net, params: Params, support_x: Tensor, queries: Tensor, given: Mapping[str, Tensor]
) -> Any:
    """Outputs for queries in a pass with the support set, whose statistics batch norms have: no
    query is told of another."""
    examples = torch.cat([support_x, queries])
    how: Callable[..., AbstractContextManager] = normalized_by if net.answers else learned_by
    with how(net.module, len(support_x), of=len(examples)):
        outputs = net(params, examples, given)
    return pytree.tree_map(lambda output: output[len(support_x) :], outputs)


def _loss(
    net: Net,
    objective: Objective,
    params: Params,
    queries: Examples,
    support_x: Tensor | None = None,
) -> tuple[Tensor, Any]:
    if support_x is None:
        outputs = net(params, queries.x, queries.given)
    else:
        outputs = by_support(net, params, support_x, queries.x, queries.given)
    losses = ask(objective, "outer_loss", outputs, queries.y, queries.given)
    return losses.mean(), detached(outputs)


def _gradient(
    net: Net,
    objective: Objective,
    params: Params,
    queries: Examples,
    support_x: Tensor | None = None,
) -> tuple[Any, Params]:
    return net.value_and_grad(
        lambda leaves: _loss(net, objective, leaves, queries, support_x), params
    )
