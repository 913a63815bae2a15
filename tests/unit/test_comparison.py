"""Two requests side by side, and which to compare one with."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rectrace.comparison import Counts, beside, compare
from rectrace.story import Candidate, Move, SourceRank, StageLine, Story

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def candidate(item: str, position: int = 0, **fields: Any) -> Candidate:
    ended: dict[str, Any] = {"fate": "served", "stage": "response", "component": "api", "reason": ""}
    if not position:
        ended = {"fate": "cut", "stage": "cutoff", "component": "top", "reason": ""}
    told: dict[str, Any] = {
        "title": "", "dropped_earlier": False, "score": 0.5, "model_rank": 1, "scorer": "ranker", "scored_of": 9,
        "sources": [SourceRank("ann", 1, None)],
    }  # fmt: skip
    return Candidate(item=item, position=position, **{**ended, **told, **fields})


def story(*candidates: Candidate, **fields: Any) -> Story:
    told: dict[str, Any] = {
        "request_id": "r", "at": NOON, "placement": "home", "user_id": "u", "k": 3, "segments": {"country": "DE"},
        "experiments": {"ranker": "v1", "layout": "a"}, "known": True, "responded": True, "served_by": "primary",
        "n_served": 1, "total_ms": 5.0, "statuses": [], "missing": [], "conflicts": 0, "closed": [], "stages": [],
        "sources": [],
    }  # fmt: skip
    return Story(**{**told, **fields}, candidates=list(candidates))


def stage(component: str, version: str, **fields: Any) -> StageLine:
    told: dict[str, Any] = {
        "attempt": 0, "offset_ms": 1.0, "duration_ms": 1.0, "status": "ok", "error": "", "n_in": None, "n_out": 3,
        "dropped": {}, "moved": 0,
    }  # fmt: skip
    return StageLine(stage="scoring", component=component, version=version, **{**told, **fields})


def test_what_is_the_same_does_not_differ() -> None:
    one = story(candidate("a", 1), candidate("b", 2), candidate("c"), stages=[stage("ranker", "v1")])
    later = replace(one, request_id="r2", at=NOON + timedelta(hours=1), stages=[stage("ranker", "v1", duration_ms=7.0)])
    told = compare(one, later)
    assert told.headline() == "Both served the same 2 items in the same order."
    assert told.overlap == 1
    assert not [fact for fact in told.facts if fact.differs]
    assert [pair.difference() for pair in told.items] == ["", "", ""]
    assert [pair.item for pair in told.items] == ["a", "b", "c"]
    assert told.ends == [
        Counts("cut in cutoff by top: not among those it kept", 1, 1),
        Counts("served", 2, 2),
    ]


def test_what_differs_is_said_from_left_to_right() -> None:
    boosted = [Move("season", "boost", "merch", 0.1, None)]
    left = story(candidate("a", 1), candidate("b", 2, model_rank=2), candidate("x"), stages=[stage("ranker", "v1")])
    right = story(
        candidate("b", 1, score=0.9, model_rank=1),
        candidate("a", fate="dropped", stage="filtering", component="stock", reason="gone", sources=[], moves=boosted),
        stages=[stage("ranker", "v2", status="timeout", error="late")],
        segments={"country": "FR", "device": "ios"},
        user_id="w",
    )
    told = compare(left, right)
    assert (
        told.headline() == "1 of 2 items served left were served right, too (rank-biased overlap 0.24)."
    )  # .1 * .9 / 2 / .19
    assert {fact.name: (fact.left, fact.right) for fact in told.facts if fact.differs} == {
        "user": ("u", "w"),
        "country": ("DE", "FR"),
        "device": ("", "ios"),
        "scoring · ranker": ("v1, 3 out", "v2, 3 out, timeout: late"),
    }
    assert {pair.item: pair.difference() for pair in told.items} == {
        "a": "served at 1, right dropped in filtering by stock: gone; brought by ann, right by none; "
        "moved by none, right by boost season",
        "b": "served at 2, right at 1; score 0.500 (rank 2), right 0.900 (rank 1)",
        "x": "a candidate only left: cut in cutoff by top: not among those it kept",
    }
    assert compare(right, left).overlap == pytest.approx(told.overlap)


def test_nothing_served_has_no_overlap() -> None:
    told = compare(story(candidate("a", 1)), story(candidate("a"), responded=False))
    assert (told.headline(), told.overlap) == ("Nothing was served right.", None)
    assert compare(story(), story()).headline() == "Nothing was served left and right."


def test_others_worth_a_look_are_the_nearest_in_time() -> None:
    def row(request_id: str, seconds: float, **arms: str) -> dict[str, Any]:
        return {"request_id": request_id, "at": NOON + timedelta(seconds=seconds), "experiments": arms}

    near = [row("far", 9, ranker="v2"), row("r", 0, ranker="v1"), row("near", -2, ranker="v2"),
            row("same", 3, ranker="v1", layout="b"), row("third", 20, ranker="v3"), row("none", 1)]  # fmt: skip
    assert beside(story(), [row("earlier", -60)], near) == {
        "its user's request before": "earlier",
        "layout=b": "same",
        "ranker=v2": "near",
        "ranker=v3": "third",
        "the nearest in time at its placement": "none",
    }
    assert beside(story(), [], [row("r", 0)]) == {}
