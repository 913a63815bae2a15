"""Mixes, such as the reasons why candidates were dropped: how far apart two of them are, and what moved most."""

import math
from collections.abc import Hashable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from streams.detect.adtributor import surprise
from streams.detect.proportion import Share, difference

K = TypeVar("K", bound=Hashable)

MIN_Z: Final = 5.0
MIN_MOVE: Final = 0.02
MIN_BITS: Final = 0.02  # such as from 30 % to 45 % of a mix, or from nothing to 4 %


class Moved(NamedTuple, Generic[K]):
    """One kind whose share of the mix changed. bits: its term of the divergence; z: standard errors of the change."""

    kind: K
    before: float
    now: float
    bits: float
    z: float


def divergence(before: Mapping[K, float], now: Mapping[K, float]) -> float:
    """Jensen-Shannon divergence of two mixes of counts, in bits: 0 alike, 1 nothing in common (Lin 1991).

    JS = H((p + q) / 2) - (H(p) + H(q)) / 2, which is the sum of Adtributor's surprises. 0 where one of them is empty.
    """
    return math.fsum(each.bits for each in _moves(before, now, 1.0, 1.0))


def threshold(kinds: int, n: float, m: float, *, least: float = MIN_BITS, z: float = MIN_Z) -> float:
    """Bits above which two mixes of K kinds differ: max(least, (K - 1 + z sqrt(2 (K - 1))) (1/n + 1/m) / (8 ln 2)).

    Of alike mixes 8 ln 2 JS / (1/n + 1/m) is chi-square distributed with K - 1 degrees of freedom, to second order (as
    Grosse et al. 2002 have it for mixes weighted by n and m): mean K - 1, variance 2 (K - 1). n, m: independent draws,
    as in `moves`.
    """
    if n <= 0 or m <= 0:
        return math.inf
    freedom = max(kinds - 1, 0)
    return max(least, (freedom + z * math.sqrt(2 * freedom)) * (1 / n + 1 / m) / (8 * math.log(2)))


def moves(
    before: Mapping[K, float],
    now: Mapping[K, float],
    n_before: float,
    n_now: float,
    *,
    min_z: float = MIN_Z,
    min_move: float = MIN_MOVE,
) -> list[Moved[K]]:
    """Kinds whose share changed by at least min_move and min_z standard errors, what moved most first.

    n_before, n_now: independent draws, such as requests, however many candidates each of them has. Alike mixes diverge
    too, by (kinds - 1) / (8 ln 2) (1 / n_before + 1 / n_now) bits on average: hence a floor in standard errors and one
    in size, none in bits.
    """
    found = [
        each
        for each in _moves(before, now, n_before, n_now)
        if abs(each.z) >= min_z and abs(each.now - each.before) >= min_move
    ]
    return sorted(found, key=lambda each: (-each.bits, str(each.kind)))


def _moves(before: Mapping[K, float], now: Mapping[K, float], n_before: float, n_now: float) -> list[Moved[K]]:
    all_before, all_now = math.fsum(before.values()), math.fsum(now.values())
    if all_before <= 0 or all_now <= 0:
        return []
    found = []
    for kind in {**before, **now}:
        was = Share(before.get(kind, 0.0), all_before, n_before)
        is_now = Share(now.get(kind, 0.0), all_now, n_now)
        bits = surprise(was.value, is_now.value) / math.log(2)
        found.append(Moved(kind, was.value, is_now.value, bits, difference(was, is_now)))
    return found
