"""Student's t, also with fractional degrees of freedom."""

from __future__ import annotations

import math


def quantile95(freedom: float) -> float:
    """Its two-sided 95 % quantile: 12.706 with one degree of freedom, 1.960 with very many."""
    from scipy.special import stdtrit  # not scipy.stats, whose import takes a second

    return float(stdtrit(freedom, 0.975))


def half_width(deviation: float, freedom: float) -> float:
    """Of the 95 % interval around a mean whose standard deviation was estimated."""
    return quantile95(freedom) * deviation if freedom else math.nan
