"""Section 5.1: what the directions are in expectation over tasks and minibatches.

AvgGrad points to the joint optimum; minus AvgGradInner raises the inner product of gradients of
different minibatches of a task, which is how a task comes to generalize within itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.joint import Joint
from fewstep.core.rules import SGD
from fewstep.theory.expansions import derivatives
from fewstep.theory.problem import (
    ALGORITHMS,
    KS,
    MINIBATCHES,
    FiniteProblem,
    algorithm,
    flat,
    in_paper_units,
)


RATE = 1e-4
"""The inner learning rate at which coefficients are read off."""

LARGE_RATE = 0.02
"""One at which nothing is small any more: k = 1 is joint training at any."""

EPS = 1e-5
"""The step of central differences: their error is of its square, rounding is divided by it."""


def paper_coefficients(name: str, k: int) -> tuple[float, float]:
    """Of AvgGrad, and of AvgGradInner in units of a: the table at the end of section 5.1."""
    return {
        "maml": (1.0, -2.0 * (k - 1)),
        "fomaml": (1.0, -1.0 * (k - 1)),
        "reptile": (float(k), -0.5 * k * (k - 1)),
    }[name]


def average_terms(gb: Tensor, hb: Tensor) -> tuple[Tensor, Tensor]:
    """AvgGrad = E[gb_1] and AvgGradInner = E[Hb_2 gb_1] over tasks and ordered pairs, [P] each."""
    pairs = _orders(2)
    inner = [hb[:, j] @ gb[:, i].unsqueeze(-1) for i, j in pairs]
    return gb.mean(dim=(0, 1)), torch.stack(inner).mean(dim=(0, 1)).squeeze(-1)


def coefficients(problem: FiniteProblem) -> list[dict[str, Any]]:
    """E[g] by least squares on AvgGrad and AvgGradInner, beside the paper's coefficients.

    The expectation is exact: every task, and every order of k different minibatches.
    """
    terms = torch.stack(average_terms(*derivatives(problem)), dim=1)
    table = []
    for name, k in itertools.product(ALGORITHMS, KS):
        ours = algorithm(name, RATE, k)
        paths = itertools.product(problem.episodes, _orders(k))
        mean = _mean(problem.direction(ours, episode, order) for episode, order in paths)
        expected = in_paper_units(name, RATE, mean)
        first, second = torch.linalg.lstsq(terms, expected[:, None]).solution[:, 0].tolist()
        paper = paper_coefficients(name, k)
        table.append(
            {
                "algorithm": name,
                "k": k,
                "rate": RATE,
                "avg_grad": first,
                "avg_grad_inner": second / RATE,
                "paper_avg_grad": paper[0],
                "paper_avg_grad_inner": paper[1],
            }
        )
    return table


def identity(problem: FiniteProblem) -> dict[str, float]:
    """AvgGradInner against half the gradient of the expected inner product E[gb_1 . gb_2].

    The gradient is by central differences and so knows of no Hessian.
    """
    _, inner = average_terms(*derivatives(problem))
    center, slope = flat(problem.params), torch.zeros_like(inner)
    for entry in range(len(center)):
        step = torch.zeros_like(center)
        step[entry] = EPS
        ends = [_inner_product(problem, center + sign * step) for sign in (1, -1)]
        slope[entry] = (ends[0] - ends[1]) / (2 * EPS)
    return {"relative_difference": _distance(0.5 * slope, inner)}


def _inner_product(problem: FiniteProblem, vector: Tensor) -> Tensor:
    """E[gb_1 . gb_2] over tasks and pairs of different minibatches."""
    sizes = [p.numel() for p in problem.params.values()]
    parts = zip(problem.params.items(), vector.split(sizes), strict=True)
    params = {name: part.view_as(p) for (name, p), part in parts}
    products = []
    for episode in problem.episodes:
        gb = [flat(problem.gradient(episode, i, params)) for i in range(MINIBATCHES)]
        products += [gb[i] @ gb[j] for i, j in _orders(2)]
    return torch.stack(products).mean()


def one_step(problem: FiniteProblem) -> dict[str, float]:
    """Reptile's expected direction, over the learning rate, against the gradient of the mean loss.

    For k = 1 they are the same, which is joint training; for k = 2, per gradient, they are not.
    """
    lr, paths = LARGE_RATE, itertools.product(problem.episodes, range(MINIBATCHES))
    joint = Joint(InnerLoop(SGD(lr), steps=MINIBATCHES))
    every = tuple(range(MINIBATCHES))
    mean_loss = _mean(problem.direction(joint, episode, every) for episode in problem.episodes)
    one, two = (algorithm("reptile", lr, k) for k in (1, 2))
    single = _mean(problem.direction(one, e, (i,)) for e, i in paths) / lr
    pairs = itertools.product(problem.episodes, _orders(2))
    double = _mean(problem.direction(two, e, order) for e, order in pairs) / (2 * lr)
    return {
        "rate": lr,
        "relative_difference": _distance(single, mean_loss),
        "relative_difference_k2": _distance(double, mean_loss),
    }


def _orders(k: int) -> Sequence[tuple[int, ...]]:
    return list(itertools.permutations(range(MINIBATCHES), k))


def _mean(vectors: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(vectors)).mean(dim=0)


def _distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())
