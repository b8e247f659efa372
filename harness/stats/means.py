"""Several trials to one figure: geometric mean with a t-interval on logs, and its relatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

Interval = tuple[float, float | None, float | None]


def geometric(values: Sequence[float]) -> Interval:
    """Geometric mean and 95% t-interval on logs; no interval of one value, or where one is 0."""
    if min(values) <= 0:
        return arithmetic(values)
    mean, low, high = arithmetic([float(np.log(value)) for value in values])
    return (
        float(np.exp(mean)),
        None if low is None else float(np.exp(low)),
        None if high is None else float(np.exp(high)),
    )


def arithmetic(values: Sequence[float]) -> Interval:
    """Mean and 95% t-interval: for counts and shares, which may be 0."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, None, None
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1))
    reach /= float(np.sqrt(len(values)))
    return mean, mean - reach, mean + reach


def largest(values: Sequence[float]) -> Interval:
    """The maximum of maxima, which has no interval."""
    return max(values), None, None


def total(values: Sequence[float]) -> Interval:
    """The sum of counts over trials."""
    return sum(values), None, None
