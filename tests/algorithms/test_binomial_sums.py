"""Binomial estimates against the sum that they are: over subsets of steps, by whole Hessians."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd.functional import hessian

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.maml import MAML
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Episode, Params, Start
from problems import REGRESSION, HalfSquare, linear, small_episode, small_net


RATE, STEPS = 0.1, 5
NET, EPISODE = small_net(), small_episode(steps=STEPS)
PARAMS, PROBLEM = NET.params(), Problem(NET, REGRESSION)
INNER = InnerLoop(SGD(RATE), STEPS)


def flat(params: Params) -> Tensor:
    return torch.cat([p.reshape(-1) for p in params.values()])


def hessians() -> tuple[list[Tensor], Tensor]:
    """Each step's whole Hessian, and the gradient of the query loss at the end."""
    path = Path(INNER, PROBLEM, Start(PARAMS, {}), EPISODE)
    sizes = [p.numel() for p in PARAMS.values()]

    def at(vector: Tensor) -> Params:
        parts = zip(PARAMS.items(), vector.split(sizes), strict=True)
        return {name: part.view_as(p) for (name, p), part in parts}

    def loss(vector: Tensor, k: int) -> Tensor:
        rows = EPISODE.batches[k]
        outputs = NET(at(vector), EPISODE.support_x[rows])
        return REGRESSION.inner_loss(outputs, EPISODE.support_y[rows]).mean()

    found = [hessian(lambda w, k=k: loss(w, k), flat(path.params[k])) for k in range(STEPS)]
    return found, flat(path.query_gradient()[1])


WHOLE = hessians()


@pytest.mark.parametrize(
    ("order", "window"), [(o, w) for w in range(1, STEPS + 1) for o in range(w + 1)]
)
def test_the_recursion_is_the_sum_over_subsets_of_the_steps(order: int, window: int) -> None:
    parts, v = WHOLE
    total = torch.zeros_like(v)
    for size in range(order + 1):
        for steps in combinations(range(STEPS - window, STEPS), size):
            product = v
            for k in reversed(steps):  # the last step's is the first that v meets
                product = -RATE * parts[k] @ product
            total = total + product
    estimate = Binomial(INNER, order, window).direction(PROBLEM, Start(PARAMS, {}), EPISODE)[0]
    assert float((flat(estimate) - total).norm() / total.norm()) < 1e-13


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    steps=st.integers(1, 7),
    order=st.integers(0, 7),
    bend=st.floats(0.01, 1.0),
)
def test_of_convex_losses_the_error_is_bounded(seed, steps, order, bend) -> None:
    """C(K, L+1) (a H)^(L+1) |v|, where no Hessian is above H and a H is at most 1."""
    order = min(order, steps)
    x = torch.randn(steps, 4, generator=torch.Generator().manual_seed(seed)).double()
    x = x / x.norm(dim=1).max() * (bend / RATE) ** 0.5  # each Hessian is x x^T
    net, nothing = linear([1.0, -2.0, 0.5, 3.0]), torch.zeros(steps).double()
    net.module.double()
    query = torch.tensor([[1.0, -1.0, 2.0, 0.3]]).double()
    episode = Episode(x, nothing, query, nothing[:1], torch.arange(steps)[:, None])
    problem, start = Problem(net, HalfSquare(linear_outer=True)), Start(net.params(), {})
    inner = InnerLoop(SGD(RATE), steps)
    exact = flat(MAML(inner).direction(problem, start, episode)[0])
    found = flat(Binomial(inner, order).direction(problem, start, episode)[0])
    bound = math.comb(steps, order + 1) * bend ** (order + 1) * query.norm()
    assert float((found - exact).norm()) <= float(bound) + 1e-12
