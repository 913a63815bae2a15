"""One request's journey in words: a sentence for every fate, lines for stages and sources."""

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest

from rectrace.commands.common import print_json
from rectrace.story import Candidate, Move, SourceRank, ending, tell

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
FATES = {  # how it reads, of an item that ended in stage `ordering`, component `mmr`, reason `cap`
    "served": "served at position 2",
    "dropped": "dropped in ordering by mmr: cap",
    "cut": "cut in ordering by mmr: not among those it kept",
    "truncated": "out of sight in ordering: mmr capped the list it reported",
    "stage_failed": "lost in ordering: mmr ended with cap",
    "stage_missing": "lost: ordering was expected and sent nothing",
    "fallback": "not served: the response was a fallback",
    "no_response": "not served: there was no response",
    "unexplained": "gone in ordering by mmr without a stated reason (unexplained)",
}


def candidate(fate: str = "served", **changes: Any) -> Candidate:
    facts: dict[str, Any] = {
        "item": "g1", "title": "", "fate": fate, "stage": "ordering", "component": "mmr", "reason": "cap",
        "position": 2 if fate == "served" else 0, "dropped_earlier": False, "score": None, "model_rank": 0,
        "scorer": "", "scored_of": 0,
    }  # fmt: skip
    return Candidate(**{**facts, **changes})


def test_the_fates_are_those_of_the_sql() -> None:
    """The queries write each as a literal: one that is not known here would be shown as its bare name."""
    queries = files("sinks.clickhouse").joinpath("queries")
    text = "".join(queries.joinpath(name).read_text("utf-8") for name in ("candidates.sql", "fates.sql"))
    assert [fate for fate in FATES if f"'{fate}'" not in text] == []


@pytest.mark.parametrize("fate", FATES)
def test_every_fate_is_a_sentence(fate: str) -> None:
    assert candidate(fate).sentence() == f"no source brought it, {FATES[fate]}"


def test_what_is_not_said_is_not_made_up() -> None:
    assert ending("dropped", "filtering", "", "") == "dropped in filtering: no reason given"
    assert ending("stage_failed", "scoring", "ranker", "") == "lost in scoring: ranker ended with a failure"
    assert ending("a new fate", "x", "y", "z") == "a new fate"


def test_served_although_dropped() -> None:
    told = candidate(dropped_earlier=True).sentence()
    assert told == "no source brought it, served at position 2 although it was dropped earlier"


def test_the_whole_way_in_the_order_of_the_pipeline() -> None:
    told = candidate(
        "dropped", stage="filtering", component="rules", reason="out_of_stock", title="Ski Jacket",
        sources=[SourceRank("ann", 14, 0.9), SourceRank("popular", 3, None), SourceRank("new", 1, None)],
        score=0.3125, model_rank=27, scorer="ranker", scored_of=105,
        moves=[
            Move("season", "boost", "merchandising", 0.05, None),
            Move("margin", "bury", "merchandising", -0.1, None),
            Move("campaign", "pin", "merchandising", None, 3),
            Move("partner", "inject", "merchandising", None, 4),
            Move("recall", "drop", "merchandising", None, None),
        ],
    )  # fmt: skip
    assert told.name == "g1 (Ski Jacket)"
    assert told.sentence() == (
        "ann brought it at rank 14, so did popular at rank 3 and new at rank 1, "
        "ranker scored it 0.312 (rank 27 of 105), boosted by rule season (+0.05), "
        "buried by rule margin (-0.1), pinned by rule campaign to slot 3, "
        "injected by rule partner at slot 4, dropped in filtering by rules: out_of_stock"
    )


def stage(stage: str, component: str, after_ms: int = 0, **fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "stage": stage, "component": component, "version": "", "attempt": 0,
        "ts": START + timedelta(milliseconds=after_ms), "duration_ms": None, "status": "ok", "error": "",
        "n_in": None, "n_out": None, "has_items": "items" in fields,
        "items": [], "scores": [], "dropped": {}, "dropped_counts": {}, "adjustments": [],
    }  # fmt: skip
    return row | fields


def fate(item: str, fate: str = "cut", **fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "item": item, "fate": fate, "stage": "cutoff", "component": "top", "reason": "", "position": 0, "score": None,
        "model_rank": 0, "dropped_earlier": False,
    }  # fmt: skip
    return row | fields


def trace(*stages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "request_id": "r", "at": START, "placement": "home", "user_id": "u", "k": 2, "segments": {"country": "DE"},
        "experiments": {}, "responded": True, "served_by": "primary", "n_served": 1, "total_ms": 5.0, "statuses": [],
        "missing": [], "conflicts": 0, "stages": list(stages),
    }  # fmt: skip
    return row | fields


def test_stages_sources_and_candidates_are_put_together() -> None:
    move = {"rule_id": "season", "item": "b", "action": "boost", "delta": 0.5, "position": None}
    told = tell(
        trace(
            stage("request", "api"),
            stage("retrieval", "ann", 4, items=["a", "b"], scores=[0.9]),
            stage("retrieval", "popular", 2, items=["b"]),
            stage("filtering", "stock", 6, items=["b"], dropped={"gone": ["a"]}, dropped_counts={"gone": 7, "seen": 1}),
            stage("scoring", "ranker", 8, items=["b"], scores=[0.5]),
            stage("business_logic", "rules", 9, adjustments=[move]),
            stage("response", "api", -3, items=["b"]),
        ),
        [
            fate("b", "served", stage="response", component="", position=1, score=0.5, model_rank=1),
            fate("a", "dropped", stage="filtering", component="stock", reason="gone"),
        ],
        [{"closed": "timeout"}, {"closed": "settled"}, {"closed": "timeout"}],
        {"a": {"title": "Vest"}},
    )
    lines = {line.component: line for line in told.stages}
    assert [line.offset_ms for line in told.stages] == [0, 4, 2, 6, 8, 9, -3]
    assert (lines["ann"].n_out, lines["rules"].n_out, lines["rules"].moved) == (2, None, 1)
    assert lines["stock"].dropped == {"gone": 7, "seen": 1}, "counts win over lists"
    assert [(s.source, s.retrieved, s.alone, s.served) for s in told.sources] == [
        ("ann", 2, 1, 1),
        ("popular", 1, 0, 1),
    ]
    served, dropped = told.candidates
    assert served.sources == [SourceRank("ann", 2, None), SourceRank("popular", 1, None)]
    assert served.sentence() == (
        "ann brought it at rank 2, so did popular at rank 1, ranker scored it 0.5 (rank 1 of 1), "
        "boosted by rule season (+0.5), served at position 1"
    )
    assert (dropped.name, dropped.sources[0].score) == ("a (Vest)", 0.9)
    assert told.candidate("nobody") is None
    assert told.closed == ["settled", "timeout"]


def test_ends_are_grouped_commonest_first() -> None:
    fates = [fate(f"i{n}") for n in range(5)] + [fate("x", "dropped", reason="seen"), fate("y", "served", position=1)]
    told = tell(trace(stage("request", "api")), fates, [], {})
    assert [(end.what, end.count, end.items) for end in told.ends()] == [
        ("cut in cutoff by top: not among those it kept", 5, ["i0", "i1", "i2"]),
        ("dropped in cutoff by top: seen", 1, ["x"]),
    ]


def test_an_orphan_counts_time_from_its_first_event() -> None:
    told = tell(trace(stage("scoring", "b", 7), stage("response", "api", 3)), [], [], {})
    assert not told.known
    assert [line.offset_ms for line in told.stages] == [4, 0]


def test_json_holds_everything_and_the_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    told = tell(trace(stage("request", "api"), total_ms=0.1 + 0.2), [fate("a"), fate("b")], [], {})
    print_json(told.as_json())
    data = json.loads(capsys.readouterr().out)
    assert (data["request_id"], data["at"], data["total_ms"]) == ("r", "2026-06-01T12:00:00Z", 0.3)
    assert [each["sentence"] for each in data["candidates"]] == [each.sentence() for each in told.candidates]
