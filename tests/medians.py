"""Bounds of a median that assume nothing about the distribution."""

import math
from collections.abc import Sequence


def upper_bound_of_median(values: Sequence[float], certainty: float = 0.95) -> float:
    """Returns the least order statistic that is above the median with so much certainty.

    The number of values below the median is binomial. Infinite where there are too few values.
    """
    ordered, count = sorted(values), len(values)
    below = 0.0
    for place in range(count):
        below += math.comb(count, place) / 2**count
        if below >= certainty:
            return ordered[place]
    return math.inf


def lower_bound_of_median(values: Sequence[float], certainty: float = 0.95) -> float:
    """Returns the greatest order statistic that is below the median with so much certainty."""
    return -upper_bound_of_median([-value for value in values], certainty)
