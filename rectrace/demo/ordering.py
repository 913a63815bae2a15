"""Diversity: maximal marginal relevance, and a cap on garments of one class."""

import numpy as np

from rectrace.demo.arrays import Bools, Floats, Ints


def mmr(scores: Floats, similarity: Floats, relevance: float, limit: int) -> Ints:
    """Indices of at most `limit` candidates, picked one by one by

        relevance * score - (1 - relevance) * (highest similarity to one already picked)

    with scores scaled to 0..1. `similarity` is (candidates, candidates). relevance = 1 is the order of the scores.
    """
    count = min(limit, len(scores))
    if count == 0:
        return np.empty(0, dtype=np.int64)
    spread = float(scores.max() - scores.min()) or 1.0
    value = relevance * (scores - scores.min()) / spread
    penalty = (1 - relevance) * similarity
    nearest = np.zeros(len(scores))
    picked = np.empty(count, dtype=np.int64)
    for place in range(count):
        best = int((value - nearest).argmax())
        picked[place] = best
        value[best] = -np.inf
        np.maximum(nearest, penalty[best], out=nearest)
    return picked


def within_cap(groups: Ints, cap: int, at_least: int) -> Bools:
    """Which entries stay if each group may have `cap`, in the given order. Where fewer than `at_least` would stay, the
    first of the others stay too."""
    seen: dict[int, int] = {}
    keep = np.empty(len(groups), dtype=np.bool_)
    for place, group in enumerate(groups.tolist()):
        seen[group] = seen.get(group, 0) + 1
        keep[place] = seen[group] <= cap
    missing = max(0, at_least - int(keep.sum()))
    keep[np.flatnonzero(~keep)[:missing]] = True
    return keep
