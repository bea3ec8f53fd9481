"""Section 5.1: the leading-order expansions of MAML, FOMAML and Reptile, beside their directions.

The paper's notation: phi_1 is the initialization, `gb_i = L'_i(phi_1)` and `Hb_i = L''_i(phi_1)`
are gradient and Hessian of minibatch i, and a is the inner learning rate.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewstep.theory.problem import (
    ALGORITHMS,
    KS,
    MINIBATCHES,
    FiniteProblem,
    algorithm,
    flat,
    in_paper_units,
)


RATES = tuple(float(rate) for rate in np.geomspace(1e-5, 1e-3, 9))
"""Inner learning rates of the slopes: far above rounding, far below where a^3 counts."""


def derivatives(problem: FiniteProblem) -> tuple[Tensor, Tensor]:
    """gb [tasks, M, P] and Hb [tasks, M, P, P] of every minibatch at the initialization."""
    leaves = {name: p.clone().requires_grad_() for name, p in problem.params.items()}
    gradients, hessians = [], []
    for episode, minibatch in itertools.product(problem.episodes, range(MINIBATCHES)):
        gradient = flat(problem.gradient(episode, minibatch, leaves))
        rows = [
            torch.autograd.grad(entry, list(leaves.values()), retain_graph=True)
            for entry in gradient
        ]
        gradients.append(gradient.detach())
        hessians.append(torch.stack([torch.cat([r.reshape(-1) for r in row]) for row in rows]))
    shape = (len(problem.episodes), MINIBATCHES)
    return (
        torch.stack(gradients).unflatten(0, shape),
        torch.stack(hessians).unflatten(0, shape),
    )


def leading_order(name: str, lr: float, gb: Tensor, hb: Tensor) -> Tensor:
    """The direction of an algorithm [P] up to O(a^2), of minibatches in their order.

    `gb` [k, P], `hb` [k, P, P]; section 5.1, the expansions of g_MAML, g_FOMAML and g_Reptile.
    """
    if name == "reptile":
        parts = (leading_order("fomaml", lr, gb[:i], hb[:i]) for i in range(1, len(gb) + 1))
        return torch.stack(list(parts)).sum(dim=0)
    after = gb[-1] - lr * hb[-1] @ gb[:-1].sum(dim=0)
    return after - lr * hb[:-1].sum(dim=0) @ gb[-1] if name == "maml" else after


def slopes(problem: FiniteProblem) -> list[dict[str, Any]]:
    """How fast direction and expansion part as the inner learning rate grows; 2 means O(a^2).

    `residuals` are norms, averaged over tasks; the slope is that of the least-squares line
    through their logarithms.
    """
    gb, hb = derivatives(problem)
    table = []
    for name, k in itertools.product(ALGORITHMS, KS):
        residuals = [_residual(problem, name, k, lr, (gb, hb)) for lr in RATES]
        slope = float(np.polyfit(np.log(RATES), np.log(residuals), 1)[0])
        table.append(
            {"algorithm": name, "k": k, "slope": slope, "rates": RATES, "residuals": residuals}
        )
    return table


def _residual(
    problem: FiniteProblem, name: str, k: int, lr: float, terms: tuple[Tensor, Tensor]
) -> float:
    gb, hb = terms
    ours, order = algorithm(name, lr, k), range(k)
    norms = [
        in_paper_units(name, lr, problem.direction(ours, episode, order))
        .sub(leading_order(name, lr, gb[t, :k], hb[t, :k]))
        .norm()
        for t, episode in enumerate(problem.episodes)
    ]
    return float(torch.stack(norms).mean())
