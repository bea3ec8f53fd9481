"""Section 5.2: on under-determined linear tasks, where nearest points are known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fewstep.theory import manifolds
from fewstep.theory.manifolds import LinearTasks, linear_tasks, reptile_direction


MANY = 150
"""Inner steps after which 3/4 to their power is below rounding."""


@pytest.fixture(params=[0, 1, 2])
def tasks(request: pytest.FixtureRequest) -> LinearTasks:
    return linear_tasks(request.param)


@pytest.fixture
def phi() -> Tensor:
    return torch.arange(1.0, manifolds.WEIGHTS + 1).double()


def test_a_projection_that_is_known_by_hand() -> None:
    """Onto x = 2, and onto x + y = 1."""
    a = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]]).double()
    tasks = LinearTasks(a, torch.tensor([[2.0], [1.0]]).double())
    projected = tasks.projections(torch.tensor([0.0, 5.0]).double())
    expected = torch.tensor([[2.0, 5.0], [-2.0, 3.0]]).double()
    torch.testing.assert_close(projected, expected)
    assert float(tasks.half_square_distance(torch.tensor([0.0, 5.0]).double())) == pytest.approx(
        0.5 * (4 + 8) / 2
    )
    torch.testing.assert_close(tasks.nearest_point(), torch.tensor([2.0, -1.0]).double())


def test_many_inner_steps_descend_half_the_mean_squared_distance(
    tasks: LinearTasks, phi: Tensor
) -> None:
    direction = reptile_direction(tasks, phi, MANY)
    leaf = phi.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(tasks.half_square_distance(leaf), leaf)
    torch.testing.assert_close(gradient, phi - tasks.projections(phi).mean(dim=0))
    torch.testing.assert_close(direction, gradient, atol=1e-12, rtol=1e-12)


def test_each_inner_step_goes_a_known_part_of_the_way(tasks: LinearTasks, phi: Tensor) -> None:
    """phi - U^k(phi) = (I - (I - a H)^k) (phi - P(phi)), with H the Hessian of the task."""
    one, a = LinearTasks(tasks.a[:1], tasks.b[:1]), tasks.a[0]
    rest = phi - one.projections(phi)[0]
    contraction = torch.eye(a.shape[1]).double() - one.lr * 2 / len(a) * a.mT @ a
    expected = rest - torch.linalg.matrix_power(contraction, 3) @ rest
    torch.testing.assert_close(reptile_direction(one, phi, 3), expected)


def test_the_nearest_point_is_where_reptile_rests(tasks: LinearTasks) -> None:
    nearest = tasks.nearest_point()
    assert float(reptile_direction(tasks, nearest, MANY).norm()) < 1e-12
    assert float(reptile_direction(tasks, nearest, 1).norm()) > 1e-3


def test_no_point_is_nearer(tasks: LinearTasks) -> None:
    nearest = tasks.nearest_point()
    least = tasks.half_square_distance(nearest)
    for entry in torch.eye(manifolds.WEIGHTS).double():
        for step in (1e-3, -1e-3):
            assert tasks.half_square_distance(nearest + step * entry) > least


@pytest.mark.slow
def test_training_with_many_inner_steps_goes_from_projection_to_projection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manifolds, "META_ITERATIONS", 20)
    monkeypatch.setattr(manifolds, "TRAINED", (1, 60))
    found, tasks = manifolds.near_manifolds(0), linear_tasks(0)
    one, many = (training["distance"] for training in found["trainings"])
    nearest = tasks.nearest_point()
    phi, expected = torch.zeros_like(nearest), []
    for _ in range(21):
        expected.append(float((phi - nearest).norm() / nearest.norm()))
        phi = tasks.projections(phi).mean(dim=0)
    assert many == pytest.approx(expected, rel=1e-6)
    assert many[-1] < 0.1 < one[-1]
    assert found["direction_error"] == sorted(found["direction_error"], reverse=True)
    assert found["direction_error"][-1] < 1e-12
