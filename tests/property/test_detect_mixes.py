"""Divergences and drift: bounds and symmetry for any counts, and no alarm where nothing drifts."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.detect.drift import binned, drift, edges, psi, threshold
from streams.detect.mix import divergence, moves

MIX = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10_000), min_size=1)
BINNED = st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)), min_size=1, max_size=12)


@given(MIX, MIX)
def test_divergence_is_symmetric_and_at_most_one_bit(before: dict[str, int], now: dict[str, int]) -> None:
    bits = divergence(before, now)
    assert 0 <= bits <= 1 + 1e-9
    assert bits == pytest.approx(divergence(now, before), abs=1e-12)
    assert divergence(before, before) == pytest.approx(0, abs=1e-12)


@given(MIX, MIX, st.integers(2, 50))
def test_scale_does_not_matter_to_a_mix(before: dict[str, int], now: dict[str, int], times: int) -> None:
    more = {kind: count * times for kind, count in now.items()}
    assert divergence(before, more) == pytest.approx(divergence(before, now), abs=1e-9)


def test_divergence_by_hand() -> None:
    assert divergence({"a": 5}, {"b": 3}) == pytest.approx(1)
    assert divergence({"a": 1, "b": 1}, {"a": 1}) == pytest.approx(0.75 * math.log2(4 / 3) + 0.25 * math.log2(4) - 0.5)
    assert divergence({}, {"a": 1}) == 0


@given(MIX, MIX)
def test_what_moved_is_told_with_its_shares(before: dict[str, int], now: dict[str, int]) -> None:
    told = moves(before, now, 500, 500)
    assert [each.bits for each in told] == sorted((each.bits for each in told), reverse=True)
    for each in told:
        assert each.before == before.get(each.kind, 0) / sum(before.values())
        assert each.now == now.get(each.kind, 0) / sum(now.values())
        assert abs(each.now - each.before) >= 0.02


def test_many_candidates_of_few_requests_are_no_certainty() -> None:
    before, now = {"stock": 300, "region": 700}, {"stock": 500, "region": 500}
    assert moves(before, now, 10, 10) == []
    assert [each.kind for each in moves(before, now, 1_000, 1_000)] == ["stock", "region"]


@given(BINNED)
def test_psi_is_symmetric_and_not_negative(counts: list[tuple[int, int]]) -> None:
    reference, now = [was for was, _ in counts], [has for _, has in counts]
    assert psi(reference, now) >= 0
    assert psi(reference, now) == pytest.approx(psi(now, reference))
    assert psi(reference, reference) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.integers(2, 20))
def test_every_value_is_in_a_bin(values: list[float], bins: int) -> None:
    inner = edges(values, bins)
    assert inner == sorted(set(inner))
    assert len(inner) < bins
    assert sum(binned(values, inner)) == len(values)
    assert all(binned(values, inner))


def test_bins_hold_equal_shares_of_the_reference() -> None:
    values = [float(n) for n in range(1_000)]
    assert binned(values, edges(values)) == [100] * 10
    assert edges([0.5] * 100) == []
    with pytest.raises(ValueError, match="bins"):
        edges([], 10)
    with pytest.raises(ValueError, match="against"):
        psi([1], [1, 2])


def samples(seed: int, n: int, shift: float = 0.0) -> tuple[list[int], list[int]]:
    """n normal scores against as many, by bins of the reference's true quantiles."""
    chance = random.Random(seed)
    inner = edges([chance.gauss() for _ in range(20_000)])
    return binned([chance.gauss() for _ in range(n)], inner), binned([chance.gauss(shift) for _ in range(n)], inner)


def test_small_samples_raise_no_alarm_where_nothing_drifts() -> None:
    """The usual limit of 0.1 would: with 200 a side 39 % of checks exceed it. Smoothing makes that somewhat fewer."""
    usual = [drift(*samples(seed, 200)) for seed in range(300)]
    assert sum(each.psi > 0.1 for each in usual) > 60
    assert sum(each.drifted for each in usual) <= 6


def test_a_drift_is_seen() -> None:
    assert all(drift(*samples(seed, 2_000, shift=0.5)).drifted for seed in range(20))
    assert not any(drift(*samples(seed, 20_000, shift=0.02)).drifted for seed in range(5))


def test_the_threshold_knows_the_sample_size() -> None:
    assert threshold(10, 1e9, 1e9) == 0.1
    assert threshold(10, 200, 200) == pytest.approx(0.09 + 3 * math.sqrt(18) * 0.01)
    assert threshold(10, 0, 5) == math.inf
    assert drift([0, 0], [1, 2]).drifted is False
    reference, now = samples(1, 2_000, shift=0.5)
    assert drift(reference, now, n=20, m=20).drifted is False
