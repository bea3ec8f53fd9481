"""Section 5.2: Reptile finds a point near all tasks' solution manifolds.

A linear task with fewer examples than weights is solved on an affine space W, and gradient descent
on it from phi ends at the point of W nearest to phi, which is known in closed form:
`P(phi) = phi - A^+ (A phi - b)`. So Reptile with many inner steps descends half the mean squared
distance to the manifolds, `1/2 E[D(phi, W)^2]`, whose minimum is a linear least-squares problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.reptile import Reptile
from fewstep.core.net import Net
from fewstep.core.objectives import Regression
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Episode, Start


WEIGHTS, EXAMPLES, TASKS = 6, 2, 6
"""Each task leaves 4 of 6 directions free; together they leave none, so the optimum is unique."""

STEPS = (1, 2, 5, 10, 20, 50, 100)
"""Inner steps whose direction is compared with phi - P(phi)."""

TRAINED = (1, 5, 50)
"""Inner steps with which a training is followed."""

META_ITERATIONS = 100


@dataclass(frozen=True)
class LinearTasks:
    """A w = b for every task: A [T, m, d], b [T, m], float64."""

    a: Tensor
    b: Tensor

    @property
    def lr(self) -> float:
        """An inner learning rate that is stable on every task: 1 over the largest curvature."""
        curvature = 2 / self.a.shape[1] * torch.linalg.matrix_norm(self.a, ord=2) ** 2
        return float(1 / curvature.max())

    def episode(self, task: int, steps: int) -> Episode:
        """One task, seen whole in each of its inner steps."""
        x, y = self.a[task], self.b[task][:, None]
        rows = torch.arange(len(x)).tile(steps, 1)
        return Episode(x, y, x[:0], y[:0], rows)

    def projections(self, phi: Tensor) -> Tensor:
        """P(phi) for every task [T, d]: the nearest point of its solution manifold."""
        errors = self.a @ phi - self.b
        return phi - (torch.linalg.pinv(self.a) @ errors.unsqueeze(-1)).squeeze(-1)

    def half_square_distance(self, phi: Tensor) -> Tensor:
        """1/2 E[D(phi, W)^2], a scalar."""
        return 0.5 * (phi - self.projections(phi)).square().sum(dim=1).mean()

    def nearest_point(self) -> Tensor:
        """The phi [d] of the least mean squared distance: mean(A^+ A) phi = mean(A^+ b)."""
        inverse = torch.linalg.pinv(self.a)
        right = (inverse @ self.b.unsqueeze(-1)).squeeze(-1).mean(dim=0)
        return torch.linalg.solve((inverse @ self.a).mean(dim=0), right)


def linear_tasks(seed: int) -> LinearTasks:
    """Random tasks whose curvatures lie within a factor of 4 of each other, so that 50 inner steps
    are many: what is left of the way to W shrinks by at least 1/4 a step."""
    generator = torch.Generator().manual_seed(seed)
    double = {"generator": generator, "dtype": torch.float64}
    rows = torch.linalg.qr(torch.randn(TASKS, WEIGHTS, EXAMPLES, **double)).Q.mT
    scales = 1 + torch.rand(TASKS, EXAMPLES, 1, **double)
    return LinearTasks(scales * rows, torch.randn(TASKS, EXAMPLES, **double))


def reptile_direction(tasks: LinearTasks, phi: Tensor, steps: int) -> Tensor:
    """Reptile's direction at phi [d], averaged over all tasks: its expected update."""
    problem = Problem(Net(nn.Linear(len(phi), 1, bias=False).double()), Regression())
    reptile, start = Reptile(InnerLoop(SGD(tasks.lr), steps)), Start({"weight": phi[None]}, {})
    directions = [
        reptile.direction(problem, start, tasks.episode(task, steps))[0]["weight"]
        for task in range(len(tasks.a))
    ]
    return torch.cat(directions).mean(dim=0)


def near_manifolds(seed: int) -> dict[str, Any]:
    """Reptile's direction against phi - E[P(phi)], and its training against the nearest point."""
    tasks = linear_tasks(seed)
    phi = torch.zeros(WEIGHTS, dtype=torch.float64)
    nearest = tasks.nearest_point()
    expected = phi - tasks.projections(phi).mean(dim=0)
    leaf = phi.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(tasks.half_square_distance(leaf), leaf)
    errors = [
        float((reptile_direction(tasks, phi, k) - expected).norm() / expected.norm()) for k in STEPS
    ]
    return {
        "gradient_difference": float((gradient - expected).norm() / expected.norm()),
        "steps": STEPS,
        "direction_error": errors,
        "trainings": [{"k": k, "distance": _distances(tasks, phi, nearest, k)} for k in TRAINED],
    }


def _distances(tasks: LinearTasks, phi: Tensor, nearest: Tensor, steps: int) -> Sequence[float]:
    """Of phi from the nearest point after each meta-iteration, relative to the first; outer
    learning rate 1."""
    path = [phi]
    for _ in range(META_ITERATIONS):
        path.append(path[-1] - reptile_direction(tasks, path[-1], steps))
    return [float((point - nearest).norm() / (phi - nearest).norm()) for point in path]
