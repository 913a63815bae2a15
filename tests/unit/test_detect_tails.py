"""Tails and intervals against published values."""

import math

import pytest

from streams.detect.proportion import Share, count_difference, difference, mean_difference, wilson
from streams.detect.tails import chi_square_tail, normal_tail, two_sided


@pytest.mark.parametrize(
    ("z", "tail"), [(0, 0.5), (1.644854, 0.05), (1.959964, 0.025), (3.090232, 0.001), (-1.281552, 0.9)]
)
def test_normal_tail(z: float, tail: float) -> None:
    """NIST/SEMATECH e-Handbook, table 1.3.6.7.1."""
    assert normal_tail(z) == pytest.approx(tail, rel=1e-5)
    assert two_sided(z) == pytest.approx(2 * min(tail, 1 - tail), rel=1e-5)


@pytest.mark.parametrize(
    ("x", "freedom", "tail"),
    [
        (3.841, 1, 0.05), (10.828, 1, 0.001), (5.991, 2, 0.05), (18.307, 10, 0.05), (29.588, 10, 0.001),
        (124.342, 100, 0.05), (149.449, 100, 0.001), (0.016, 1, 0.9), (82.358, 100, 0.9),
    ],
)  # fmt: skip
def test_chi_square_tail(x: float, freedom: int, tail: float) -> None:
    """Critical values of NIST/SEMATECH e-Handbook, table 1.3.6.7.4 (three digits)."""
    assert chi_square_tail(x, freedom) == pytest.approx(tail, rel=6e-3)


@pytest.mark.parametrize("x", [0.1, 1.0, 5.0, 30.0, 200.0, 1400.0])
def test_chi_square_in_closed_form(x: float) -> None:
    """One degree is the square of a normal, two are an exponential, four a gamma of shape two."""
    assert chi_square_tail(x, 1) == pytest.approx(two_sided(math.sqrt(x)), rel=1e-9)
    assert chi_square_tail(x, 2) == pytest.approx(math.exp(-x / 2), rel=1e-9)
    assert chi_square_tail(x, 4) == pytest.approx(math.exp(-x / 2) * (1 + x / 2), rel=1e-9)


def test_chi_square_at_its_ends() -> None:
    assert chi_square_tail(0, 3) == 1
    assert chi_square_tail(1e6, 3) == 0
    with pytest.raises(ValueError, match="degree of freedom"):
        chi_square_tail(1, 0)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson(part: int, whole: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3."""
    assert wilson(part, whole) == pytest.approx((low, high), abs=6e-5)


def test_wilson_at_its_ends() -> None:
    assert wilson(0, 0) == (0, 1)
    assert wilson(10, 10).high == 1
    assert wilson(0, 10).low == 0


def test_differences() -> None:
    """Empties going from 0.5 % to 3 % show in some 225 requests; nothing shows in nothing."""
    assert difference(Share(500, 100_000, 100_000), Share(7, 225, 225)) > 2
    assert difference(Share(1, 10, 10), Share(2, 10, 10)) < 1
    assert difference(Share(0, 0, 0), Share(5, 5, 5)) == 0
    assert difference(Share(900, 1000, 10), Share(450, 500, 10)) == 0
    assert mean_difference(Share(1000, 100, 100), Share(2000, 100, 100)) == pytest.approx(4.472, abs=1e-3)
    assert mean_difference(Share(0, 0, 0), Share(5, 5, 5)) == mean_difference(Share(0, 5, 5), Share(0, 5, 5)) == 0
    once = Share(50, 500, 500), Share(25, 500, 500)  # a rule that touches one in ten, then one in twenty
    assert mean_difference(*once) < -6
    assert mean_difference(*once, counted=True) == pytest.approx(-2.7735, abs=1e-4)
    assert count_difference(100, 200) == pytest.approx(5.7735, abs=1e-4)
    assert count_difference(0, 0) == 0
