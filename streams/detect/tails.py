"""Tails of the normal and the chi-square distribution: how likely a deviation is by chance alone."""

import math
from typing import Final

_TINY: Final = 1e-300
_STEPS: Final = 10_000


def normal_tail(z: float) -> float:
    """P(Z > z) of a standard normal: erfc(z / sqrt 2) / 2."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def two_sided(z: float) -> float:
    """P(|Z| > |z|)."""
    return math.erfc(abs(z) / math.sqrt(2))


def chi_square_tail(x: float, freedom: int) -> float:
    """P(X > x) for `freedom` degrees of freedom: the regularised upper incomplete gamma function Q(freedom/2, x/2).

    Abramowitz and Stegun 6.5.29 (series of P) below the mean, 6.5.31 (continued fraction of Q) above. ValueError for
    no degree of freedom.
    """
    if freedom < 1:
        raise ValueError(f"chi-square needs at least one degree of freedom, not {freedom}")
    if x <= 0:
        return 1.0
    a, half = freedom / 2, x / 2
    scale = math.exp(-half + a * math.log(half) - math.lgamma(a))
    if half < a + 1:
        return max(1.0 - scale * _series(a, half), 0.0)
    return scale * _fraction(a, half)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    for n in range(1, _STEPS):
        term *= x / (a + n)
        total += term
        if term < total * 1e-16:
            break
    return total


def _fraction(a: float, x: float) -> float:
    """Lentz's method."""
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value = d
    for n in range(1, _STEPS):
        step = -n * (n - a)
        b += 2
        d = 1 / (step * d + b or _TINY)
        c = b + step / c or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
