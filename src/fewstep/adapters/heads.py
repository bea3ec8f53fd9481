"""Where a task starts the network's last linear layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fewstep.core.problem import Problem
from fewstep.core.types import Params


def trained(problem: Problem, params: Params) -> Params:
    """As the outer step has left it."""
    return {}


def zeros(problem: Problem, params: Params) -> Params:
    """At 0: no class is likelier than another."""
    return {name: torch.zeros_like(p) for name, p in _head(problem, params).items()}


def mean(problem: Problem, params: Params) -> Params:
    """Every class at the mean of the trained ones: their order means nothing."""
    return {name: _of_all(p) for name, p in _head(problem, params).items()}


HEADS: dict[str, Callable[[Problem, Params], Params]] = {
    "trained": trained,
    "zeros": zeros,
    "mean": mean,
}
"""What `algorithm.inner.head` knows: the parameters that a task starts elsewhere, by name."""


def _of_all(rows: Tensor) -> Tensor:
    return rows.mean(0, keepdim=True).expand_as(rows).contiguous()


def _head(problem: Problem, params: Params) -> Params:
    """The last linear layer's parameters among these.

    Raises:
        ValueError: there is none.
    """
    module = problem.net.module
    layers = [path for path, la in module.named_modules() if isinstance(la, nn.Linear)]
    names = [f"{layers[-1]}.{n}".lstrip(".") for n in ("weight", "bias")] if layers else []
    if found := {name: params[name] for name in names if name in params}:
        return found
    raise ValueError(
        f"algorithm.inner.head: {type(module).__name__} has no linear layer that learns. Use "
        "algorithm.inner.head=trained"
    )
