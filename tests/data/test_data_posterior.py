"""Bayes' answer where the posterior is narrower than a grid: held to least squares and to sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from fewstep.core.types import EpisodeSpec
from fewstep.data.linear import Linear
from fewstep.data.posterior import PosteriorMean


def double(values: list) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize(("prior", "sigma"), [("laplace", 0.05), ("exponential", 0.01)])
def test_with_many_shots_it_misses_no_more_than_least_squares(
    prior: str, sigma: float, d: int
) -> None:
    """A grid of steps of 0.05 missed ten times as much, and one of 0.025 eighty times."""
    family = Linear(d=d, sigma=sigma, prior=prior)
    split, oracle = family.open()["test"].to("cpu", torch.float64), family.oracle()
    bayes, least = [], []
    for index in range(40 if d == 1 else 4):
        task = split.episode(EpisodeSpec(1, 50, 1, 0), 0, index)
        x, y, w = task.support_x, task.support_y[:, 0], task.query_y[:, 0]
        bayes.append((oracle.mean(x, y) - w).square().mean())
        least.append((torch.linalg.lstsq(x, y[:, None]).solution[:, 0] - w).square().mean())
    assert float(sum(bayes)) < 1.02 * float(sum(least))


def by_sums(x: Tensor, y: Tensor, sigma: float, prior: str) -> float:
    """The mean of one weight, on a million points between which nothing is."""
    w = np.linspace(0 if prior == "exponential" else -4, 4, 1_000_001)
    errors = sum((b - w * a) ** 2 for a, b in zip(x[:, 0].tolist(), y.tolist(), strict=True))
    log = -np.abs(w) - errors / (2 * sigma**2)
    mass = np.exp(log - log.max())
    mass[[0, -1]] /= 2
    return float((mass * w).sum() / mass.sum())


@pytest.mark.parametrize("prior", ["laplace", "exponential"])
@pytest.mark.parametrize("y", [[0.9, -1.9], [0.002, 0.004], [-0.03, 0.05]])
def test_a_narrow_posterior_of_one_weight_is_what_a_fine_sum_gives(y: list, prior: str) -> None:
    """Far from 0, where the prior bends within it, and beyond where it ends."""
    x, given = double([[1.0], [-2.0]]), double(y)
    found = PosteriorMean(1, 0.02, prior).mean(x, given)
    assert float(found) == pytest.approx(by_sums(x, given, 0.02, prior), abs=2e-7)


def test_what_one_example_leaves_open_the_prior_says() -> None:
    """Two weights with w + 2 v = 1: on that line the first is exp(-w / 2) from 0 to 1."""
    found = PosteriorMean(2, 1e-4, "exponential").mean(double([[1.0, 2.0]]), double([1.0]))
    first = 2 - 1 / (math.exp(0.5) - 1)
    assert found.tolist() == pytest.approx([first, (1 - first) / 2], abs=1e-4)
    again = double([[1.0, 2.0], [0.5, 1.0]]), double([1.0, 0.5])  # the same line twice
    assert PosteriorMean(2, 1e-4, "exponential").mean(*again).tolist() == pytest.approx(
        found.tolist(), abs=1e-4
    )
    alone = PosteriorMean(2, 0.01, "exponential").mean(double([[3.0, 0.0]]), double([0.6]))
    assert alone.tolist() == pytest.approx([0.2, 1.0], abs=1e-4)  # of the other nothing is known
    both = PosteriorMean(2, 0.01, "laplace").mean(double([[1.0, -1.0]]), double([0.4]))
    assert both.tolist() == pytest.approx([0.2, -0.2], abs=1e-3)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("prior", ["laplace", "exponential"])
def test_both_ways_agree_where_the_posterior_is_wide(prior: str, d: int) -> None:
    draw, oracle = torch.manual_seed(3), PosteriorMean(d, 0.7, prior)
    for _ in range(5):
        x = torch.randn(2, d, generator=draw, dtype=torch.float64)
        y = x.sum(1) + torch.randn(2, generator=draw, dtype=torch.float64)
        assert torch.allclose(oracle.mean(x, y), oracle._closer(x, y), rtol=0, atol=1e-4)


def test_a_wide_posterior_is_summed_as_it_was() -> None:
    """The figures of the published table hang on it."""
    oracle, x, y = PosteriorMean(2, 0.5, "laplace"), double([[1.0, 2.0]]), double([1.0])
    fine, coarse = oracle._summed(x, y, 481), oracle._summed(x, y, 241)
    assert torch.equal(oracle.mean(x, y), fine + (fine - coarse) / 3)


def test_tasks_side_by_side_have_each_their_own_window() -> None:
    draw, oracle = torch.manual_seed(0), PosteriorMean(2, 0.3, "laplace")
    x = torch.randn(4, 3, 2, generator=draw, dtype=torch.float64)
    x = x * double([0.3, 1, 8, 40])[:, None, None]
    y = torch.randn(4, 3, generator=draw, dtype=torch.float64)
    one_by_one = torch.stack([oracle.mean(*task) for task in zip(x, y, strict=True)])
    assert torch.allclose(torch.func.vmap(oracle.mean)(x, y), one_by_one, rtol=0, atol=1e-12)
