"""Drift of a distribution, such as a ranker's scores: the population stability index over the reference's quantiles.

A drift makes a ticket, never a page, unless what is served moves, too.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

BINS: Final = 10
MIN_PSI: Final = 0.1
Z: Final = 3.0


class Drift(NamedTuple):
    """The index, and what it must exceed at these sample sizes."""

    psi: float
    threshold: float

    @property
    def drifted(self) -> bool:
        """Whether it does."""
        return self.psi > self.threshold


def edges(reference: Sequence[float], bins: int = BINS) -> list[float]:
    """Inner edges of bins that hold equal shares of the reference; equal values stay together, so there may be fewer.

    ValueError for no reference, or fewer than two bins.
    """
    if not reference or bins < 2:
        raise ValueError(f"{bins} bins of {len(reference)} values: at least two of one are needed")
    ordered = sorted(reference)
    cuts = {ordered[len(ordered) * number // bins - 1] for number in range(1, bins) if len(ordered) * number >= bins}
    return sorted(cut for cut in cuts if cut < ordered[-1])


def binned(values: Sequence[float], inner: Sequence[float]) -> list[int]:
    """How many values fall into each bin: up to and with the first edge, and so on; len(inner) + 1 counts."""
    counts = [0] * (len(inner) + 1)
    for value in values:
        counts[bisect_left(inner, value)] += 1
    return counts


def psi(reference: Sequence[float], now: Sequence[float]) -> float:
    """sum_b (p_b - q_b) ln(p_b / q_b) over counts by bin, each bin smoothed by half a count. 0 of nothing.

    ValueError where the numbers of bins differ.
    """
    if len(reference) != len(now):
        raise ValueError(f"{len(reference)} bins against {len(now)}")
    n, m = sum(reference), sum(now)
    if n <= 0 or m <= 0:
        return 0.0
    half = 0.5 * len(reference)
    pairs = (((was + 0.5) / (n + half), (has + 0.5) / (m + half)) for was, has in zip(reference, now, strict=True))
    return math.fsum((p - q) * math.log(p / q) for p, q in pairs)


def threshold(bins: int, n: float, m: float, *, least: float = MIN_PSI, z: float = Z) -> float:
    """max(least, (B - 1)(1/n + 1/m) + z sqrt(2 (B - 1)) (1/n + 1/m)).

    Without drift PSI / (1/n + 1/m) is chi-square distributed with B - 1 degrees of freedom (Yurdakul and Naranjo
    2020): mean B - 1, variance 2 (B - 1). The usual limits of 0.1 and 0.25 know no sample size. n and m: independent
    draws; of scores the number of requests, not of candidates.
    """
    if n <= 0 or m <= 0:
        return math.inf
    scale = 1 / n + 1 / m
    return max(least, (bins - 1) * scale + z * math.sqrt(2 * (bins - 1)) * scale)


def drift(
    reference: Sequence[float],
    now: Sequence[float],
    n: float | None = None,
    m: float | None = None,
    *,
    least: float = MIN_PSI,
    z: float = Z,
) -> Drift:
    """Of counts by bin. n, m: independent draws behind them, where that is not their sums."""
    draws = sum(reference) if n is None else n, sum(now) if m is None else m
    return Drift(psi(reference, now), threshold(len(reference), *draws, least=least, z=z))
