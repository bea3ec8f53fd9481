"""What deepwave computes for Meta-IFWI, held to numbers and to physics; skipped without it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fewstep.core.types import EpisodeSpec
from fewstep.data.ground import Ground
from fewstep.data.waves import Survey


deepwave = pytest.importorskip("deepwave", reason="fewstep[seismic] is not installed")
pytestmark = pytest.mark.slow

SURVEY = Survey(20.0, 0.002, 60, 12.0, 0.1, ((2, 12), (1, 8)), 4000.0)
SOURCE = torch.tensor([[2, 4]])


def true_model() -> Tensor:
    v = torch.full((12, 16), 2600.0, dtype=torch.float64)
    v[:6] = 2000
    return v


def wrong_model() -> Tensor:
    v = true_model()
    v[3:9, 5:11] += 100
    return v


def whole_misfit(v: Tensor) -> Tensor:
    """Of the whole record at once."""
    wanted = SURVEY.shoot(true_model(), SOURCE)
    return (SURVEY.shoot(v, SOURCE) - wanted).square().sum() / wanted.square().sum()


def test_seismograms() -> None:
    heard = SURVEY.shoot(true_model(), SOURCE)
    assert heard.shape == (1, 2, 60)
    wanted = [2.680788634e-07, -1.733264016e-05, -1.262161439e-03, 0.9977639292]
    assert heard[0, 0, [20, 30, 40, 59]].tolist() == pytest.approx(wanted, rel=1e-6)
    assert heard.square().sum().item() == pytest.approx(5314.811647, rel=1e-8)


def test_a_misfit_with_its_gradient_and_curvature() -> None:
    v = wrong_model().requires_grad_()
    misfit = whole_misfit(v)
    assert misfit.item() == pytest.approx(6.025262955e-04, rel=1e-6)
    (gradient,) = torch.autograd.grad(misfit, v, create_graph=True)
    assert gradient[7, 8].item() == pytest.approx(2.461554e-11, rel=1e-4)
    u = torch.zeros(12, 16, dtype=torch.float64)
    u[6:8, 6:10] = 1
    (product,) = torch.autograd.grad((gradient * u).sum(), v)
    assert (product * u).sum().item() == pytest.approx(-3.6992203e-12, rel=1e-5)


def test_a_gradient_is_the_difference_of_two_misfits() -> None:
    v, moved = wrong_model().requires_grad_(), torch.zeros(12, 16, dtype=torch.float64)
    moved[7, 8] = 0.1
    ahead, behind = (whole_misfit(wrong_model() + sign * moved).item() for sign in (1, -1))
    difference = (ahead - behind) / 0.2
    assert difference == pytest.approx(2.46136e-11, rel=1e-4)
    (gradient,) = torch.autograd.grad(whole_misfit(v), v)
    assert difference == pytest.approx(gradient[7, 8].item(), rel=1e-5)


def test_the_true_velocity_fits_exactly() -> None:
    v = true_model().requires_grad_()
    misfit = whole_misfit(v)
    assert misfit.item() == 0
    assert not torch.autograd.grad(misfit, v)[0].any()


def test_source_and_receiver_may_change_places() -> None:
    """In any ground, before the waves come to its absorbing edge, whose layer is not symmetric."""
    torch.manual_seed(0)
    v = 2000 + 600 * torch.rand(60, 60, dtype=torch.float64)
    there, back = (
        Survey(20.0, 0.002, 60, 12.0, 0.1, (to,), 4000.0).shoot(v, torch.tensor([start]))
        for start, to in (((25, 28), (33, 30)), ((33, 30), (25, 28)))
    )
    assert (there - back).abs().max() < 1e-10 * there.abs().max()


def test_a_task_is_what_its_shots_are_heard_as() -> None:
    family = Ground()
    episode = family.open()["test"].episode(EpisodeSpec(1, 3, 2, 5), 0, 1)
    assert episode.support_x.dtype == torch.int64
    assert episode.support_y.shape == (3, 32, 150)
    assert episode.query_y.shape == (2, 32, 150)
    velocity = episode.extras["velocity"]
    assert torch.equal(family.objective.survey.shoot(velocity, episode.query_x), episode.query_y)
    outputs = {"velocity": velocity.expand(2, -1, -1), "cells": episode.query_x.float()}
    told = family.objective.metrics(outputs, episode.query_y, episode.extras)
    assert {name: value.item() for name, value in told.items()} == {"loss": 0, "velocity_rmse": 0}
