"""Adtributor: what holds for any counts, and that an injected cause comes first."""

import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.detect.adtributor import (
    Change,
    RatioChange,
    elements,
    explain,
    explain_ratio,
    ratio_elements,
    surprise,
)

COUNTS = st.integers(0, 10_000)
CHANGES = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.builds(Change, COUNTS, COUNTS), max_size=8)


def _ratio(before: tuple[int, int], now: tuple[int, int]) -> RatioChange:
    """From (bad, requests) before and now, bad at most requests."""
    return RatioChange(Change(min(before), min(now)), Change(max(before), max(now)))


RATIOS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.builds(_ratio, st.tuples(COUNTS, COUNTS), st.tuples(COUNTS, COUNTS)),
    max_size=8,
)


@given(CHANGES)
def test_what_elements_explain_sums_to_one_unless_nothing_changed(changes: dict[str, Change]) -> None:
    found = elements(changes)
    moved = sum(change.now for change in changes.values()) - sum(change.before for change in changes.values())
    assert bool(found) == (moved != 0)
    if found:
        assert sum(each.ep for each in found) == pytest.approx(1)
        assert all(each.surprise >= 0 for each in found)


@given(RATIOS)
def test_so_it_does_for_ratios(changes: dict[str, RatioChange]) -> None:
    found = ratio_elements(changes)
    if found:
        assert sum(each.ep for each in found) == pytest.approx(1)
        assert sum(each.share for each in found) == pytest.approx(1)


@given(CHANGES)
def test_explained_is_additive(changes: dict[str, Change]) -> None:
    """Two elements that become one explain what they explained."""
    assume(len(changes) >= 2)
    first, second, *_ = changes
    merged = {name: change for name, change in changes.items() if name not in (first, second)}
    merged["together"] = Change(*(a + b for a, b in zip(changes[first], changes[second], strict=True)))
    apart = {each.name: each.ep for each in elements(changes)}
    for each in elements(merged):
        if each.name == "together":
            assert each.ep == pytest.approx(apart[first] + apart[second])


@given(st.dictionaries(st.sampled_from("xyz"), CHANGES), st.dictionaries(st.sampled_from("xyz"), RATIOS), st.randoms())
def test_order_of_dimensions_and_elements_does_not_matter(
    counts: dict[str, dict[str, Change]], ratios: dict[str, dict[str, RatioChange]], chance: random.Random
) -> None:
    def shuffled(of: dict[str, Any]) -> dict[str, Any]:
        return dict(chance.sample(list(of.items()), len(of)))

    assert explain(shuffled({name: shuffled(each) for name, each in counts.items()})) == explain(counts)
    assert explain_ratio(shuffled({name: shuffled(each) for name, each in ratios.items()})) == explain_ratio(ratios)


@given(RATIOS)
def test_an_explanation_explains_enough_with_elements_that_each_do(changes: dict[str, RatioChange]) -> None:
    for explanation in explain_ratio({"dimension": changes}):
        assert explanation.ep >= 0.67
        assert explanation.elements
        assert all(each.ep >= 0.1 for each in explanation.elements)
        assert sum(each.ep for each in explanation.elements[:-1]) < 0.67


def _traffic(seed: int, cause: tuple[str, str], bad: float) -> dict[str, dict[str, RatioChange]]:
    """4,000 requests before and as many now; now the cause's element has a share of `bad` instead of 1 %."""
    chance = random.Random(seed)
    values = {"country": ["DE", "FR", "GB", "BR"], "device": ["ios", "android", "web"], "ranker": ["control", "v2"]}
    counted = {name: {value: [[0, 0], [0, 0]] for value in known} for name, known in values.items()}
    for period in (0, 1):
        for _ in range(4_000):
            request = {name: chance.choice(known) for name, known in values.items()}
            rate = bad if period and request[cause[0]] == cause[1] else 0.01
            is_bad = chance.random() < rate
            for name, value in request.items():
                counted[name][value][0][period] += is_bad
                counted[name][value][1][period] += 1
    return {
        name: {value: RatioChange(Change(*part), Change(*whole)) for value, (part, whole) in each.items()}
        for name, each in counted.items()
    }


@pytest.mark.parametrize("cause", [("country", "BR"), ("device", "web"), ("ranker", "v2")])
@pytest.mark.parametrize("seed", range(5))
def test_an_injected_cause_comes_first(cause: tuple[str, str], seed: int) -> None:
    first = explain_ratio(_traffic(seed, cause, bad=0.2))[0]
    assert (first.dimension, [each.name for each in first.elements]) == (cause[0], [cause[1]])
    assert first.lift > 1.5


def test_a_falling_count_is_explained_by_what_fell() -> None:
    before = {"a": Change(100, 100), "b": Change(100, 10), "c": Change(50, 55)}
    assert [each.name for each in explain({"d": before})[0].elements] == ["b"]


def test_new_and_vanished_elements() -> None:
    counts = {"old": Change(50, 0), "same": Change(50, 50), "new": Change(0, 200)}
    assert [each.name for each in explain({"d": counts})[0].elements] == ["new"]
    ratios = {
        "old": RatioChange(Change(1, 0), Change(50, 0)),
        "same": RatioChange(Change(1, 1), Change(50, 50)),
        "new": RatioChange(Change(0, 30), Change(0, 50)),
    }
    assert [each.name for each in explain_ratio({"d": ratios})[0].elements] == ["new"]


@pytest.mark.parametrize(
    "changes", [{}, {"a": Change(0, 0)}, {"a": Change(5, 5)}, {"a": Change(5, 0), "b": Change(0, 5)}]
)
def test_nothing_changed_or_nothing_there(changes: dict[str, Change]) -> None:
    assert explain({"d": changes}) == []
    nothing_before = {name: RatioChange(Change(0, 0), change) for name, change in changes.items()}
    assert explain_ratio({"d": nothing_before}) == []


def test_all_alike_is_no_explanation() -> None:
    """Each element doubles: they explain what they are of the total, and that is a lift of 1."""
    alike = {"a": RatioChange(Change(10, 20), Change(100, 100)), "b": RatioChange(Change(5, 10), Change(50, 50))}
    assert [each.surprise for each in ratio_elements(alike)] == pytest.approx([0, 0])
    assert explain_ratio({"d": alike})[0].lift == pytest.approx(1)


def test_surprise_of_the_paper() -> None:
    """Half of the Jensen-Shannon divergence's terms: ln 2 / 2 for all to nothing, none for no change."""
    assert surprise(1, 0) == pytest.approx(0.34657359)
    assert surprise(0.3, 0.3) == surprise(0, 0) == 0
    assert surprise(0.25, 0.75) == pytest.approx(0.5 * (0.25 * -0.69314718 + 0.75 * 0.40546511))
