"""What figures can be, as pictures show them."""

from __future__ import annotations

import math

import pytest

from fewstep.records.figures.lines import Line
from fewstep.records.measures import inside


@pytest.mark.parametrize(
    ("end", "mean", "metric", "shown"),
    [
        (104.0, 99.0, "acc", 100.0),
        (-1.0, 2.0, "acc", 0.0),
        (-0.1, 0.1, "loss", 0.0),  # a mean of losses that are not negative, measured roughly
        (-2.1, -2.0, "loss", -2.1),  # a log density has any sign
        (-1.9, -2.0, "loss", -1.9),
        (150.0, 100.0, "loss", 150.0),
    ],
)
def test_an_interval_ends_inside_of_what_can_be(end, mean, metric, shown) -> None:
    assert inside(end, mean, metric) == shown


def test_what_is_not_known_stays_so() -> None:
    assert math.isnan(inside(math.nan, 0.5, "loss"))


def test_a_band_holds_its_curve() -> None:
    line = Line([1, 2], [[-2.0, 0.05]], [0.1, 0.1], {})
    low, high = line.ends("loss")
    assert low == pytest.approx([-2.1, 0.0])
    assert high == pytest.approx([-1.9, 0.15])
