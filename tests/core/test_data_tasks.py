"""Losses and metrics against their definitions, alone and under torch.func."""

from __future__ import annotations

import pytest
import torch

from fewstep.core.objectives import Classification, Regression


def test_cross_entropy_is_minus_the_log_of_the_right_probability():
    logits = torch.randn(6, 5, dtype=torch.float64)
    labels = torch.tensor([0, 4, 2, 2, 1, 3])
    expected = -logits.softmax(dim=1)[torch.arange(6), labels].log()
    task = Classification()
    assert task.inner_loss(logits, labels).allclose(expected)
    assert task.outer_loss(logits, labels).allclose(expected)


def test_accuracy_is_a_fraction():
    logits = torch.eye(4)
    metrics = Classification().metrics(logits, torch.tensor([0, 1, 2, 0]))
    assert metrics["acc"].item() == 0.75
    assert metrics["loss"].shape == ()


def test_squared_error_is_averaged_over_outputs_alone():
    outputs, targets = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.zeros(2, 2)
    assert Regression().inner_loss(outputs, targets).tolist() == [5.0, 0.0]
    assert set(Regression().metrics(outputs, targets)) == {"loss"}


@pytest.mark.parametrize("task", [Classification(), Regression()], ids=["classes", "values"])
def test_vmap_and_grad(task):
    weights = torch.randn(3, 4, dtype=torch.float64)
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    y = (
        torch.randint(4, (2, 7))
        if isinstance(task, Classification)
        else torch.randn(2, 7, 4).double()
    )

    def loss(w, x, y):
        return task.outer_loss(x @ w, y).mean() + task.metrics(x @ w, y)["loss"]

    mapped = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(weights, x, y)
    for i in range(2):
        w = weights.clone().requires_grad_()
        loss(w, x[i], y[i]).backward()
        assert mapped[i].allclose(w.grad)
