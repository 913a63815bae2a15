"""Seasonal baselines: what a slot of the week usually has, from the same slot of earlier weeks.

Median and MAD, so that one bad week of the past does not count. Of few weeks the MAD may be anything, also 0: a floor
says how much a share (binomial) or a count (Poisson) varies by chance at this traffic.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

from streams.detect.proportion import Share

MIN_WEEKS: Final = 3
MIN_Z: Final = 4.0
TO_SIGMA: Final = 1.4826  # MAD of a normal distribution to its standard deviation (Rousseeuw and Croux 1993)


class Baseline(NamedTuple):
    """What is usual, and the standard deviation of what is seen from it: floor included."""

    usual: float
    sigma: float
    weeks: int


class Unusual(NamedTuple):
    """A value that is not as usual. z: standard deviations from it, negative below."""

    value: float
    baseline: Baseline
    z: float


def share_baseline(history: Sequence[Share], n: float) -> Baseline | None:
    """Of a share, for n requests now; None of fewer than MIN_WEEKS weeks with requests.

    sigma = max(1.4826 MAD, sqrt(p (1 - p) / n)) sqrt(1 + pi / (2 weeks)): the median of k weeks is itself off by some
    sigma sqrt(pi / 2k). p is the median, smoothed by two successes and two failures a week.
    """
    told = [week for week in history if week.n > 0]
    if len(told) < MIN_WEEKS or n <= 0:
        return None
    values = [week.value for week in told]
    typical = median(week.n for week in told)
    p = (median(values) * typical + 2) / (typical + 4)
    return _baseline(values, math.sqrt(p * (1 - p) / n))


def count_baseline(history: Sequence[float]) -> Baseline | None:
    """Of a count of independent events, such as requests; None of fewer than MIN_WEEKS weeks.

    sigma as above, with the Poisson floor sqrt(median).
    """
    if len(history) < MIN_WEEKS:
        return None
    return _baseline(history, math.sqrt(max(median(history), 1.0)))


def unusual(
    value: float, baseline: Baseline | None, *, least: float = 0.0, relative: float = 0.1, min_z: float = MIN_Z
) -> Unusual | None:
    """The value, if it is at least min_z sigma, `least` (absolute) and `relative` (of what is usual) away."""
    if baseline is None:
        return None
    apart = value - baseline.usual
    z = apart / baseline.sigma if baseline.sigma > 0 else 0.0
    if abs(z) < min_z or abs(apart) < max(least, relative * abs(baseline.usual)):
        return None
    return Unusual(value, baseline, z)


def _baseline(values: Sequence[float], floor: float) -> Baseline:
    usual = median(values)
    mad = median(abs(value - usual) for value in values)
    sigma = max(TO_SIGMA * mad, floor) * math.sqrt(1 + math.pi / (2 * len(values)))
    return Baseline(usual, sigma, len(values))
