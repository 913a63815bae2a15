"""Bins of equal shares from histograms that add up (schemas/distributions.py), for the index of drift.py."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from streams.detect.drift import BINS


def edges(reference: Mapping[int, int], bins: int = BINS) -> list[int]:
    """Inner edges: buckets that end bins with equal shares of the reference, as drift.edges has them of values.

    Where one bucket holds more than a bin's share there are fewer of them. Then what lies below and above all of the
    reference has a bin of its own: else nothing could leave a reference that is in one bucket. ValueError for an
    empty reference, or fewer than two bins.
    """
    buckets = sorted(number for number, count in reference.items() if count > 0)
    if not buckets or bins < 2:
        raise ValueError(f"{bins} bins of {len(buckets)} buckets: at least two of one are needed")
    upto = list(accumulate(reference[number] for number in buckets))
    ranks = (upto[-1] * number // bins for number in range(1, bins))
    cuts = {buckets[bisect_left(upto, rank)] for rank in ranks if rank > 0} - {buckets[-1]}
    if len(cuts) < bins - 1:
        cuts |= {buckets[0] - 1, buckets[-1]}
    return sorted(cuts)


def binned(histogram: Mapping[int, int], inner: Sequence[int]) -> list[int]:
    """How many values fall into each bin: up to and with the first edge, and so on; len(inner) + 1 counts."""
    counts = [0] * (len(inner) + 1)
    for number, count in histogram.items():
        counts[bisect_left(inner, number)] += count
    return counts
