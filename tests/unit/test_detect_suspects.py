"""Who is to blame: what deviates, in pipeline order, and nothing that is chance or does not matter."""

import pytest

from streams.detect.proportion import Share
from streams.detect.suspects import SIGNALS, Deviation, Look, Signal, deviations

ORDER = ["retrieval", "merging", "filtering", "scoring", "response"]


def place(stage: str, component: str) -> tuple[float, ...]:
    return (ORDER.index(stage),)


def look(
    stage: str, component: str, signal: Signal, before: float, now: float, *, n: float = 1_000, placement: str = "home"
) -> Look:
    """Shares or means over n events each."""
    return Look(placement, stage, component, signal, Share(before * n, n, n), Share(now * n, n, n))


def named(found: list[Deviation]) -> list[str]:
    return [f"{each.stage}/{each.component} {each.signal}" for each in found]


def test_the_first_in_the_pipeline_is_the_suspect_whatever_deviates_more() -> None:
    looks = [
        look("response", "api", "empty", 0.0, 0.9),
        look("scoring", "ranker", "missing", 0.0, 0.9),
        look("filtering", "region", "yield", 0.8, 0.5),
        look("merging", "rrf", "yield", 0.7, 0.7),
    ]
    assert named(deviations(looks, place)) == [
        "filtering/region yield", "scoring/ranker missing", "response/api empty",
    ]  # fmt: skip


def test_of_those_side_by_side_the_plainest_comes_first() -> None:
    looks = [
        look("retrieval", "ann", "candidates", 40, 20),
        look("retrieval", "popular", "failed", 0.0, 0.5),
        look("retrieval", "popular", "candidates", 40, 20),
    ]
    assert named(deviations(looks, place)) == [
        "retrieval/popular failed", "retrieval/ann candidates", "retrieval/popular candidates",
    ]  # fmt: skip


def test_being_slow_is_told_last_unless_asked_for() -> None:
    looks = [look("retrieval", "ann", "duration", 15, 235), look("scoring", "ranker", "failed", 0.0, 0.3)]
    assert named(deviations(looks, place)) == ["scoring/ranker failed", "retrieval/ann duration"]
    assert named(deviations(looks, place, first="duration")) == ["retrieval/ann duration", "scoring/ranker failed"]


def test_what_is_asked_about_is_told_first_however_much_differs_upstream() -> None:
    looks = [look("filtering", "stock", "dropped", 0.0, 0.2), look("scoring", "ranker", "failed", 0.0, 0.1)]
    looks.append(look("response", "api", "failed", 0.0, 0.1))
    assert named(deviations(looks, place))[0] == "filtering/stock dropped"
    assert named(deviations(looks, place, first="failed")) == [
        "scoring/ranker failed", "response/api failed", "filtering/stock dropped",
    ]  # fmt: skip


def test_placements_are_told_together() -> None:
    looks = [
        look("retrieval", "ann", "empty", 0.0, now, placement=at) for at, now in (("b", 1.0), ("a", 0.5), ("c", 0))
    ]
    (found,) = deviations(looks, place)
    assert (found.placements, found.before, found.now) == (("a", "b"), 0.0, 0.75)
    assert found.z > 100


@pytest.mark.parametrize("signal", SIGNALS)
def test_no_change_few_requests_and_nothing_at_all_are_no_deviation(signal: Signal) -> None:
    same = look("scoring", "ranker", signal, 0.5, 0.5)
    few = look("scoring", "ranker", signal, 0.01, 1.0, n=10)
    nothing = Look("home", "scoring", "ranker", signal, Share(0, 0, 0), Share(5, 5, 5))
    assert deviations([same, few, nothing], place) == []


@pytest.mark.parametrize(
    ("signal", "before", "now"),
    [
        ("failed", 0.001, 0.005), ("yield", 0.80, 0.78), ("candidates", 40, 45), ("score", 0.30, 0.27),
        ("duration", 100, 120), ("duration", 1, 4), ("dropped", 0.10, 0.16), ("delta", 0.02, 0.03),
    ],
)  # fmt: skip
def test_what_does_not_matter_is_not_told_however_sure(signal: Signal, before: float, now: float) -> None:
    assert deviations([look("scoring", "ranker", signal, before, now, n=1e6)], place) == []


def test_a_fall_counts_as_much_as_a_rise() -> None:
    for before, now in ((0.02, 2.0), (2.0, 0.02)):
        (found,) = deviations([look("scoring", "x", "delta", before, now)], place)
        assert (found.z > 0) is (now > before)
