"""Rule pressure: how far the served order is from the model's, and what that costs by the model's own scores.

Pure functions of one request. The seal computes the same for all of a window, in sinks/clickhouse/queries: tests hold
the two together.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

P: Final = 0.9  # persistence: the first ten places have 86 % of the weight
Scored = tuple[str, float | None]


def model_order(attempts: Iterable[Sequence[Scored]]) -> list[tuple[str, float]]:
    """The model's order, each item with its score: by score descending, ties in list order.

    attempts: what the model scored, the attempt that counts first (the highest), first. An item without a score (None,
    NaN, infinite) is not in the order; of one that is scored more than once the first attempt counts, in it the best.
    """
    known: dict[str, tuple[float, int]] = {}
    place = 0
    for scored in attempts:
        found: dict[str, tuple[float, int]] = {}
        for item, score in scored:
            place += 1
            if score is not None and math.isfinite(score) and (item not in found or -score < found[item][0]):
                found[item] = (-score, place)
        known = {**found, **known}
    return [(item, -key[0]) for item, key in sorted(known.items(), key=lambda each: each[1])]


def rbo(model: Sequence[str], served: Sequence[str], p: float = P) -> float:
    """Rank-biased overlap of two lists, 0 (nothing in common) to 1 (the same), at the depth of `served`.

    RBO = (1 - p) sum_d p^(d-1) |A_1:d and B_1:d| / d (Webber, Moffat, Zobel 2010) is over lists without an end. What
    was served ends at K, and the tail is not unknown, there is none: so the sum goes to d = K, in parts of 1 - p^K,
    which is the most that it can be. An item that is served twice is one item, and a place of the served list is
    wasted. Raises ValueError where nothing was served, or p is not within (0, 1).
    """
    if not served:
        raise ValueError("nothing served: no order to compare")
    if not 0 < p < 1:
        raise ValueError(f"p is {p}: allowed is what lies between 0 and 1")
    depths = range(1, len(served) + 1)
    agreement = math.fsum(p ** (d - 1) * len({*model[:d]} & {*served[:d]}) / d for d in depths)
    return min((1 - p) * agreement / (1 - p ** len(served)), 1.0)


def pressure(model: Sequence[str], served: Sequence[str]) -> float:
    """Rule pressure, 0 (as the model has it) to 1 (nothing of its first K is served): 1 - RBO at p = 0.9."""
    return 1 - rbo(model, served)


def score_regret(model: Sequence[tuple[str, float]], served: Sequence[str]) -> float | None:
    """What the served order costs by the model's scores, 0 to 1: 1 - DCG(served) / DCG(the model's first K).

    DCG = sum_j g(j) / log2(j + 1) (Jaervelin, Kekaelaeinen 2002) over the K places served. The gain g is the score;
    where the model has scores below 0, what it is above the lowest of them: else a list could gain by being shorter,
    and the ratio could be anything. An item that the model has not scored, or that was served before, gains nothing.
    None where there is nothing to lose: nothing served, or no gain in the model's own order.
    """
    lowest = min([0.0, *(score for _, score in model)])
    gains = {item: score - lowest for item, score in model}
    ideal = _dcg(gains[item] for item, _ in model[: len(served)])
    if ideal <= 0:
        return None
    got = _dcg(gains.pop(item, 0.0) for item in served)
    return min(max(1 - got / ideal, 0.0), 1.0)


def _dcg(gains: Iterable[float]) -> float:
    return math.fsum(gain / math.log2(place + 1) for place, gain in enumerate(gains, 1))
