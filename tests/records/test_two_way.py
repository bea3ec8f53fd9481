"""The interval of a mean over seeds and tasks, and Holm's correction."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fewstep.records.statistics.student import quantile95
from fewstep.records.statistics.two_parts import Part, two_sided
from fewstep.records.statistics.two_way import Spread, holm, mean_squares, two_way


TABLE = np.array([[1.0, 2.0, 6.0], [3.0, 2.0, 4.0]])
"""By seed 3 and 3, by task 2, 2 and 5: squares 0, 12 and 4 with 1, 2 and 2 degrees of freedom."""


def test_mean_squares_are_those_of_the_table_by_hand() -> None:
    assert mean_squares(TABLE) == Spread(0.0, 6.0, 2.0, seeds=2, tasks=3)
    shifted = TABLE + np.array([[0.0], [4.0]])  # 3 (2^2 + 2^2) over seeds
    assert mean_squares(shifted) == Spread(24.0, 6.0, 2.0, seeds=2, tasks=3)


@pytest.mark.parametrize(
    ("spread", "variance", "freedom"),
    [
        # The sum 4 + 6 - 2 = 8 counts: over 6 cells; 8^2 / (4^2/1 + 6^2/2 + 2^2/2).
        (Spread(4.0, 6.0, 2.0, 2, 3), 8 / 6, 64 / 36),
        # So it does with seeds that spread more than tasks, by their own S - 1 alone.
        (Spread(24.0, 6.0, 2.0, 2, 3), 28 / 6, 1),
        # 6 + 0 - 2 is less than the tasks alone, which have two degrees of freedom.
        (Spread(0.0, 6.0, 2.0, 2, 3), 1.0, 2),
        # 8 + 1 - 2 is less than the seeds alone.
        (Spread(8.0, 1.0, 2.0, 2, 3), 8 / 6, 1),
        # Never fewer than S - 1: 40 seeds and 3 tasks, where tasks decide.
        (Spread(1.0, 9.0, 1.0, 40, 3), 9 / 120, 39),
        # Nothing spreads.
        (Spread(0.0, 0.0, 0.0, 3, 5), 0.0, 2),
    ],
)
def test_the_variance_and_its_degrees_of_freedom(
    spread: Spread, variance: float, freedom: float
) -> None:
    assert spread.variance == pytest.approx(variance)
    assert spread.freedom == pytest.approx(freedom)


def test_an_interval_by_hand() -> None:
    """Mean 3, variance 1 with two degrees of freedom: 4.303; t = 3 has p = 0.0955, more than what
    tasks add to seeds that spread by nothing."""
    found = two_way(TABLE)
    assert (found.mean, found.half_width) == pytest.approx((3.0, 4.3027), abs=1e-4)
    assert found.p == pytest.approx(0.09547, abs=1e-5)
    # One difference: rest 2, of tasks (6 - 2) / 2, of seeds none below zero.
    assert found.effect == pytest.approx(3 / math.sqrt(2 + 2))


def test_of_one_seed_tasks_count_alone_and_of_one_task_seeds() -> None:
    """Values 1, 2, 6: mean 3, standard deviation sqrt(7), of the mean sqrt(7 / 3)."""
    for table in (TABLE[:1], TABLE[:1].T):
        found = two_way(table)
        assert found.mean == 3.0
        assert found.half_width == pytest.approx(4.3027 * math.sqrt(7 / 3), abs=1e-3)
        assert found.effect == pytest.approx(3 / math.sqrt(7))
        assert found.freedom == 2


def test_a_single_figure_has_no_interval() -> None:
    found = two_way([[0.5]])
    assert found.mean == 0.5
    assert math.isnan(found.half_width)
    assert math.isnan(found.p)


@pytest.mark.parametrize("value", [0.0, 0.1 + 0.2 - 0.3])
def test_where_nothing_spreads_a_difference_is_one_and_none_is_none(value: float) -> None:
    assert two_way(np.full((3, 4), 0.25)).p == 1 / 8  # of four tasks, all of one sign
    assert two_way([[20.0, 20.0]]).p == 1 / 2
    assert two_way(np.full((3, 400), 0.25)).p < 1e-100
    found = two_way(np.full((3, 4), value))
    assert (found.p, found.effect) == (1.0, None)


SPREADS = {"large": 0.5, "small": 0.03, "zero": 0.0}


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("spread", SPREADS)
def test_intervals_cover_what_they_say(seeds: int, spread: str) -> None:
    """2,000 tables of 200 tasks, whose own spread is that of the rest; in all 93.5 to 96.5 %."""
    random = np.random.default_rng([seeds, *spread.encode()])
    covered = 0
    for _ in range(2000):
        table = random.normal(size=(seeds, 200)) + random.normal(size=200)
        found = two_way(table + SPREADS[spread] * random.normal(size=(seeds, 1)))
        covered += abs(found.mean) <= found.half_width
    assert 0.935 <= covered / 2000 <= 0.965


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "low", "high"), [(2, 86, 98), (3, 92, 98), (5, 94, 98)])
def test_intervals_cover_nearly_so_whatever_the_spread(seeds: int, low: float, high: float) -> None:
    """The least and the most over spreads of tasks and seeds, as the module says; the mean and its
    mean squares are drawn as such, 20,000 of each."""
    random, found = np.random.default_rng(seeds), []
    for tasks in (50, 1000):
        for task_spread in (0.0, 0.3, 1.0):
            task = 1 + seeds * task_spread**2
            for ratio in (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0):
                found.append(_coverage(random, seeds, tasks, task, 1 + ratio * task))
    assert low <= min(found) <= max(found) <= high


def _coverage(
    random: np.random.Generator, seeds: int, tasks: int, task: float, seed: float, of: int = 20_000
) -> float:
    a, b = seeds - 1, tasks - 1
    means = random.normal(size=of) * math.sqrt((seed + task - 1) / (seeds * tasks))
    drawn = zip(
        seed * random.chisquare(a, of) / a,
        task * random.chisquare(b, of) / b,
        random.chisquare(a * b, of) / (a * b),
        strict=True,
    )
    spreads = [Spread(*squares, seeds, tasks) for squares in drawn]
    from scipy.special import stdtrit

    half = stdtrit([s.freedom for s in spreads], 0.975) * np.sqrt([s.variance for s in spreads])
    return 100 * float(np.mean(np.abs(means) <= half))


def test_students_quantiles_are_those_of_the_tables() -> None:
    """0.975 at 1, 9, 10, 30 and 100 degrees of freedom, and between 2 and 3."""
    quantiles = {1: 12.7062, 9: 2.2622, 10: 2.2281, 30: 2.0423, 100: 1.9840}
    for freedom, quantile in quantiles.items():
        assert quantile95(freedom) == pytest.approx(quantile, abs=6e-5)
    assert quantile95(2) > quantile95(2.5) > quantile95(3)
    assert two_sided(2.2281, Part(1.0, 10), Part(0.0, 3)) == pytest.approx(0.05, abs=1e-5)


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 x 0.01; 2 x 0.03; 1 x 0.04, not below
        ([0.03, 0.01, 0.03], [0.06, 0.03, 0.06]),
        ([0.5, 0.9, 0.001], [1.0, 1.0, 0.003]),
    ],
)
def test_holms_correction_by_hand(given: list[float], adjusted: list[float]) -> None:
    assert holm(given) == pytest.approx(adjusted)


def test_what_has_no_p_value_is_not_counted() -> None:
    first, unknown, last = holm([0.02, math.nan, 0.03])
    assert (first, last) == pytest.approx((0.04, 0.04))
    assert math.isnan(unknown)


PARTS = [
    # Simulated, 4,000,000 sums each.
    (2.5, Part(1, 2), Part(1, 999), 0.18007),
    (1.96, Part(0.01, 2), Part(1, 999), 0.0505),
    (10.0, Part(1, 1), Part(1, 1), 0.12566),  # 2 Cauchy: 2 / pi arctan(2 / 10)
    (6.0, Part(1, 2), Part(0.5, 4), 0.0283),
    (4.0, Part(0.3, 1), Part(1, 50), 0.0520),
]


@pytest.mark.parametrize(("mean", "one", "other", "p"), PARTS)
def test_p_values_of_errors_of_two_parts(mean: float, one: Part, other: Part, p: float) -> None:
    assert two_sided(mean, one, other) == pytest.approx(p, rel=0.01)
    assert two_sided(-mean, other, one) == pytest.approx(two_sided(mean, one, other))


def test_p_values_far_out_are_those_of_the_seeds() -> None:
    """Eight deviations of many tasks are nothing, but those of three seeds have such a tail:
    P(|t_2| > x) is 2 / x^2 for large x, and 5 of its 1,000th part of a deviation 8e-8 or so."""
    assert two_sided(8.0, Part(0.0, 2), Part(1.0, 1e6)) < 1e-14
    assert two_sided(8.0, Part(0.001, 2), Part(1.0, 1e6)) > 1e-8
    alone = two_sided(20.0, Part(1.0, 2), Part(0.0, 999))
    assert alone == pytest.approx(1 - 20 / math.sqrt(2 + 400), rel=1e-9)  # t_2 in closed form
    assert two_sided(20.0, Part(1.0, 2), Part(1e-3, 999)) == pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_of_many_comparisons_without_a_difference_few_are_told(seeds: int) -> None:
    """Five rows beside another whose seeds spread by a little more than tasks hide, 200 tables: 5 %
    of them at the most may have a false one, within three deviations of that."""
    random, false = np.random.default_rng(seeds), 0
    for _ in range(200):
        task = random.normal(size=300)
        seed = 0.12 * random.normal(size=(6, seeds, 1))
        first, *rows = task + seed + random.normal(size=(6, seeds, 300))
        false += min(holm([two_way(row - first).p for row in rows])) < 0.05
    assert false / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.slow
def test_holms_correction_is_statsmodels() -> None:
    from statsmodels.stats import multitest

    given = np.random.default_rng(0).uniform(size=(50, 7)) ** 3
    for row in given:
        assert holm(list(row)) == pytest.approx(multitest.multipletests(row, method="holm")[1])
