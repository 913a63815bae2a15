"""The flow of a request's candidates: every one enters once and leaves once, whatever happened to it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rectrace.console import charts
from rectrace.console.flow import Flow, flow
from rectrace.console.pages.item import BARS, STEPS, chart, step_of
from rectrace.story import Candidate, SourceRank, StageLine, Story

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def candidate(item: str, fate: str, stage: str, sources: str, reason: str = "", component: str = "") -> Candidate:
    return Candidate(
        item=item, title="", fate=fate, stage=stage, component=component, reason=reason,
        position=1 if fate == "served" else 0, dropped_earlier=False, score=None, model_rank=0, scorer="", scored_of=0,
        sources=[SourceRank(source, 1, None) for source in sources.split()],
    )  # fmt: skip


def told(stages: str, *candidates: Candidate) -> Story:
    lines = [
        StageLine(stage, stage, "", 0, 0.0, None, "ok", "", None, None, {}, 0) for stage in ["request", *stages.split()]
    ]
    return Story(
        "r", NOON, "home", "u", 3, {}, {}, known=True, responded=True, served_by="", n_served=1, total_ms=None,
        statuses=[], missing=[], conflicts=0, closed=[], stages=lines, sources=[], candidates=list(candidates),
    )  # fmt: skip


def links(found: Flow) -> dict[tuple[str, str], int]:
    return {(link.source, link.target): link.count for link in found.links}


def test_from_sources_through_stages_to_their_ends() -> None:
    found = flow(
        told(
            "retrieval filtering scoring cutoff response",
            candidate("a", "served", "response", "ann"),
            candidate("b", "dropped", "filtering", "ann popular", "seen", "stock"),
            candidate("c", "cut", "cutoff", "popular", component="top_k"),
            candidate("d", "dropped", "filtering", "", "seen", "stock"),
        )
    )
    assert links(found) == {
        ("found by ann alone", "reached filtering"): 1,
        ("found by several sources", "reached filtering"): 1,
        ("found by popular alone", "reached filtering"): 1,
        ("brought by no source", "reached filtering"): 1,
        ("reached filtering", "dropped in filtering by stock: seen"): 2,
        ("reached filtering", "reached cutoff"): 2,
        ("reached cutoff", "cut in cutoff by top_k: not among those it kept"): 1,
        ("reached cutoff", "served"): 1,
    }
    assert {node.label: node.kind for node in found.nodes}["seen · stock"] == "lost"


def test_what_comes_into_a_stage_goes_out_of_it() -> None:
    stages = ["retrieval", "merging", "filtering", "scoring", "ordering", "cutoff", "", "elsewhere"]
    every = [
        candidate(f"g{n}", "served" if n % 5 == 0 else "dropped", stages[n % 8], "a b"[: n % 4], f"reason{n % 3}")
        for n in range(200)
    ]
    found = flow(told("retrieval filtering ordering elsewhere response", *every))
    into, out = Counter[str](), Counter[str]()
    for link in found.links:
        out[link.source] += link.count
        into[link.target] += link.count
    for node in found.nodes:
        if node.kind == "stage" and into[node.name] and out[node.name]:
            assert into[node.name] == out[node.name]
    assert sum(out[node.name] for node in found.nodes if node.kind == "source") == len(every)
    assert sum(into[node.name] for node in found.nodes if node.kind in ("lost", "served")) == len(every)
    assert len({node.name for node in found.nodes}) == len(found.nodes)


def test_a_stage_that_sent_nothing_stands_where_it_usually_is() -> None:
    found = flow(
        told(
            "retrieval filtering cutoff response",
            candidate("a", "stage_missing", "scoring", "ann"),
            candidate("b", "cut", "cutoff", "ann"),
            candidate("c", "dropped", "filtering", "ann"),
        )
    )
    assert ("reached filtering", "reached scoring") in links(found)
    assert ("reached scoring", "reached cutoff") in links(found)


def test_a_chart_draws_texts_and_reads_none() -> None:
    options = charts.sankey(
        flow(told("filtering response", candidate("a", "dropped", "filtering", "{b}<b>", "<i>{x|y}", "c")))
    )
    assert options["tooltip"]["renderMode"] == "richText"
    (series,) = options["series"]
    assert [node["label"]["formatter"] for node in series["data"]] == ["(b)<b>  1", "filtering  1", "<i>(x|y) · c  1"]


@pytest.mark.parametrize(
    "length", [timedelta(seconds=1), timedelta(minutes=15), timedelta(hours=6), timedelta(days=2), timedelta(days=30)]
)
def test_a_chart_has_no_more_bars_than_can_be_told_apart(length: timedelta) -> None:
    step = step_of(length)
    assert step in STEPS
    assert length.total_seconds() / step <= BARS
    assert step == STEPS[0] or length.total_seconds() / STEPS[STEPS.index(step) - 1] > BARS


def row(minute: int, fate: str, reason: str, times: int) -> dict[str, Any]:
    at = (NOON + timedelta(minutes=minute)).replace(tzinfo=None)
    return {"at": at, "fate": fate, "stage": "filtering", "component": "stock", "reason": reason, "times": times}


def test_bars_of_an_item() -> None:
    rows = [row(n % 3, "dropped", f"reason{n}", 10 + n) for n in range(12)] + [row(2, "served", "", 1)]
    options = chart(rows, NOON + timedelta(minutes=1))
    names = [each["name"] for each in options["series"]]
    assert names[:2] == ["served", "dropped in filtering by stock: reason11"]
    assert (len(names), names[-1]) == (9, "all others")
    assert sum(sum(each["data"]) for each in options["series"]) == sum(each["times"] for each in rows)
    assert options["series"][0]["data"] == [0, 0, 1]
    assert options["series"][0]["markArea"]["data"] == [[{"xAxis": 0, "name": "before"}, {"xAxis": 0}]]
