"""How likely a mean is by chance whose error has two parts, each of a spread that was estimated.

The parts are Student's t, each with the degrees of freedom of its own spread (Behrens and Fisher).
One t with degrees of freedom in between (Satterthwaite) does nearly as well for an interval of
95 %. Far out it does not: where the few seeds happen to be alike, it takes the thousand tasks' word
for them, and of many comparisons, which Holm judges by such small p-values, one is then false.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


NODES, REACH = 1001, 40.0
"""Of the integral over one part, by the logarithm of the odds of its own distribution."""


class Part(NamedTuple):
    """One part of an error."""

    deviation: float
    """Its standard deviation, as it was estimated."""
    freedom: float
    """With so many degrees of freedom."""


def two_sided(mean: float, one: Part, other: Part) -> float:
    """The p-value of a mean against zero: of the sum of both parts, t times deviation each, being
    as far from it.
    """
    from scipy.special import stdtr, stdtrit  # not scipy.stats, whose import takes a second

    small, large = sorted((one, other))
    if not large.deviation:
        raise ValueError("two_sided: nothing spreads")
    if not small.deviation:
        return float(2 * stdtr(large.freedom, -abs(mean) / large.deviation))
    odds = np.linspace(-REACH, 0.0, NODES)
    share = 1 / (1 + np.exp(-odds))
    below = small.deviation * stdtrit(small.freedom, share)  # and mirrored above the middle
    weight = share * (1 - share)
    weight[-1] /= 2  # the middle is in both halves
    nearer = stdtr(large.freedom, -(abs(mean) + below) / large.deviation)
    further = stdtr(large.freedom, -(abs(mean) - below) / large.deviation)
    return min(1.0, float((weight * (nearer + further)).sum() / weight.sum()))
