"""Differences of shares, against what the literature and exact tests give."""

import math

import pytest

from streams.detect.proportion import Interval, Share, apart, likelihood, wilson
from streams.detect.tails import normal_tail


def share(part: float, whole: float) -> Share:
    return Share(part, whole, whole)


@pytest.mark.parametrize(
    ("mine", "other", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_differences_of_shares_have_the_interval_of_newcombe(
    mine: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    found = apart(mine[0] / mine[1], wilson(*mine), other[0] / other[1], wilson(*other))
    assert found == pytest.approx((low, high), abs=1e-4)


def test_a_difference_the_other_way_round_is_the_opposite() -> None:
    one, other = Interval(0.1, 0.4), Interval(0.2, 0.25)
    low, high = apart(0.2, one, 0.22, other)
    assert apart(0.22, other, 0.2, one) == pytest.approx((-high, -low))


def _binomial_tail(least: int, n: int, p: float) -> float:
    """P(X >= least)."""
    return 1 - math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(least))


@pytest.mark.parametrize(("part", "n", "p"), [(11, 250, 0.0038), (2, 100, 0.003), (30, 250, 0.06), (140, 250, 0.5)])
def test_the_likelihood_ratio_is_as_likely_as_exact_counts_are(part: int, n: int, p: float) -> None:
    """Against a rest so large that its share is known: the exact probability lies between those of the neighbours."""
    rest = 10_000_000
    z = likelihood(share(p * rest, rest), share(part, n))
    assert _binomial_tail(part + 1, n, p) < normal_tail(z) < _binomial_tail(part - 1, n, p)


def test_the_likelihood_ratio_has_a_sign_and_ends() -> None:
    assert likelihood(share(5, 100), share(0, 100)) == -likelihood(share(0, 100), share(5, 100)) < 0
    assert likelihood(share(0, 100), share(0, 50)) == likelihood(share(7, 7), share(3, 3)) == 0
    assert likelihood(share(0, 0), share(3, 5)) == 0
    assert likelihood(share(0, 100), share(1, 100)) == 0  # half a success less of a difference is none
    assert likelihood(share(0, 10), share(10, 10)) == pytest.approx(-likelihood(share(10, 10), share(0, 10)))
    assert 4 < likelihood(share(0, 10), share(10, 10)) < 5
