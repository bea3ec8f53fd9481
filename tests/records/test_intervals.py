"""Figures with their intervals, as people read them."""

from __future__ import annotations

import math

import pytest
import torch

from fewstep.records.statistics.intervals import Z95, exact_upper, mean_ci95, show, widened, wilson


@pytest.mark.parametrize(
    ("figures", "wanted"),
    [
        ({"acc": 0.95391, "acc_ci95": 0.0009}, "95.39 ± 0.09 %"),
        ({"loss": 0.0123456, "loss_ci95": 0.0012}, "0.01235 ± 0.0012"),
        ({"loss": math.nan, "loss_ci95": 0.1}, "diverged"),
        ({"acc": 0.5, "acc_ci95": math.inf}, "diverged"),
        ({"acc": 0.2, "acc_ci95": 0.01, "loss": math.inf}, "20.00 ± 1.00 % (diverged)"),
    ],
)
def test_what_is_shown(figures: dict[str, float], wanted: str) -> None:
    assert show(figures) == wanted


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (15, 30, 0.3315, 0.6685),
        (27, 30, 0.7438, 0.9654),
    ],
)
def test_wilsons_interval(right: int, of: int, low: float, high: float) -> None:
    """Against published values (Brown, Cai and DasGupta 2001's formula, computed by hand)."""
    assert wilson(right, of) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@pytest.mark.parametrize(("values", "half"), [([1.0], math.nan), ([0.0, 1.0], 0.69296)])
def test_two_tasks_have_a_spread_and_one_has_none(values: list[float], half: float) -> None:
    """1.96 times a population standard deviation of 1/2, over the root of two."""
    mean, found = mean_ci95(torch.tensor(values))
    assert mean == sum(values) / len(values)
    assert found == pytest.approx(half, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("tasks", [3, 6, 30, 99])
def test_of_few_tasks_the_wider_interval_covers(tasks: int) -> None:
    """40,000 simulated tests of normal figures; with six tasks the field's covers 86.5 %."""
    drawn = torch.randn(40_000, tasks, generator=torch.Generator().manual_seed(0)).double()
    half = Z95 * drawn.std(1, correction=0) / tasks**0.5
    covered = (drawn.mean(1).abs() < widened(tasks) * half).double().mean()
    assert 0.947 < covered < 0.953
    assert mean_ci95(drawn[0])[1] == pytest.approx(float(half[0]))
    assert widened(100) == widened(1) == 1.0


@pytest.mark.parametrize(("right", "of"), [(0, 5), (3, 5), (24, 25), (99, 100)])
def test_the_exact_upper_end_is_where_so_few_are_right_once_in_forty(right: int, of: int) -> None:
    p = exact_upper(right, of)
    below = sum(math.comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(right + 1))
    assert below == pytest.approx(0.025, rel=1e-9)
    assert exact_upper(of, of) == 1.0
    assert exact_upper(right / 1.4, of / 1.4) > p
