"""Shares and means: intervals, and whether two of them differ by more than chance."""

import math
from typing import Final, NamedTuple

Z95: Final = 1.959964  # two-sided 95 %


class Interval(NamedTuple):
    """Lower and upper bound."""

    low: float
    high: float


class Share(NamedTuple):
    """`part` of `whole` with `n` independent trials behind them: n = whole for requests; for candidates, of which one
    request has many that fare alike, the number of requests."""

    part: float
    whole: float
    n: float

    @property
    def value(self) -> float:
        """part / whole; 0 of nothing."""
        return self.part / self.whole if self.whole > 0 else 0.0

    @property
    def variance(self) -> float:
        """Of `value`, at most: p (1 - p) / n bounds the variance of the mean of anything in [0, 1] with mean p. p is
        smoothed by Agresti and Coull's two successes and two failures, so that 0 of few is not certainty."""
        p = min(max((self.value * self.n + 2) / (self.n + 4), 0.0), 1.0)
        return p * (1 - p) / max(self.n, 1.0)


def wilson(part: float, whole: float, z: float = Z95) -> Interval:
    """The score interval of a share (Wilson 1927): its centre is (p + z^2/2n) / (1 + z^2/n), and it stays in [0, 1].

    All of [0, 1] where there is nothing.
    """
    if whole <= 0:
        return Interval(0.0, 1.0)
    p, square = part / whole, z * z
    centre = p + square / (2 * whole)
    half = z * math.sqrt(max(p * (1 - p), 0.0) / whole + square / (4 * whole * whole))
    below = 1 + square / whole
    low = 0.0 if part <= 0 else max((centre - half) / below, 0.0)
    return Interval(low, 1.0 if part >= whole else min((centre + half) / below, 1.0))


def difference(before: Share, now: Share) -> float:
    """z of now - before, standard errors; 0 where one of them has no trials."""
    if before.n <= 0 or now.n <= 0:
        return 0.0
    return (now.value - before.value) / math.sqrt(before.variance + now.variance)


def likelihood(before: Share, now: Share) -> float:
    """z of now - before by the signed root of the likelihood ratio (G), with Yates's half success less of a difference:
    near enough to an exact test where one of them has few successes or none, and where they have very different numbers
    of trials. 0 where there are no trials.

    G = 2 sum over both of n [p ln(p / q) + (1 - p) ln((1 - p) / (1 - q))], q of both together.
    """
    if before.n <= 0 or now.n <= 0:
        return 0.0
    shares = [(min(max(side.value, 0.0), 1.0), side.n) for side in (before, now)]
    both = sum(p * n for p, n in shares) / (before.n + now.n)
    nearer = [(p + math.copysign(min(0.5 / n, abs(both - p)), both - p), n) for p, n in shares]
    ratio = sum(n * (_entropy(p, both) + _entropy(1 - p, 1 - both)) for p, n in nearer)
    return math.copysign(math.sqrt(max(2 * ratio, 0.0)), now.value - before.value)


def mean_difference(before: Share, now: Share, variation: float = 1.0, *, counted: bool = False) -> float:
    """z of a difference of means of something without a bound, such as ms or candidates a request: part is the sum,
    whole and n the number. `variation`: its coefficient of variation (sd / mean), at most. `counted`: of counts, which
    have a Poisson's variance beside (as the negative binomial has): of what is rare the variation is large. 0 where
    there is nothing."""
    if before.n <= 0 or now.n <= 0:
        return 0.0
    variances = (
        (variation**2 * side.value**2 + (abs(side.value) if counted else 0.0)) / side.n for side in (before, now)
    )
    variance = sum(variances)
    return (now.value - before.value) / math.sqrt(variance) if variance > 0 else 0.0


def count_difference(before: float, now: float) -> float:
    """z of two Poisson counts over equal times: (now - before) / sqrt(now + before)."""
    return (now - before) / math.sqrt(now + before) if now + before > 0 else 0.0


def apart(value: float, interval: Interval, other: float, of_other: Interval) -> Interval:
    """The interval of value - other, from the intervals of both (MOVER: Zou and Donner 2008); of shares with Wilson's
    it is the tenth method of Newcombe (1998)."""
    differ = value - other
    below = math.hypot(value - interval.low, of_other.high - other)
    above = math.hypot(interval.high - value, other - of_other.low)
    return Interval(differ - below, differ + above)


def _entropy(p: float, q: float) -> float:
    return p * math.log(p / q) if p > 0 else 0.0
