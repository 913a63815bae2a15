"""The merged trace and the fates of its candidates: SQL against a brute-force reference, on random requests."""

import dataclasses
import itertools
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.parts import Event
from sinks.clickhouse.client import connect
from tests.support import reference
from tests.support.database import JOURNEY, Database
from tests.support.events import event, part, raw
from tests.support.random_requests import random_events

AT = int(time.time()) * 1000
Requests = dict[str, list[Event]]
_number = itertools.count()


@pytest.fixture(scope="module")
def db(clickhouse: str) -> Iterator[Database]:
    with connect(clickhouse) as client:
        yield Database.create(client, "test_fates")
        client.command("DROP DATABASE test_fates SYNC")


def requests_of(rng: Random, count: int) -> Requests:
    names = [f"r{next(_number)}" for _ in range(count)]
    return {name: random_events(rng, name, AT) for name in names}


def merged(db: Database) -> str:
    """All parts of each request of {ids} as one trace, whatever windows they lie in."""
    source = (
        f"(SELECT * REPLACE (toDateTime(0, 'UTC') AS window) FROM {db.name}.landing "
        "WHERE request_id IN {ids:Array(String)})"
    )
    return db.journey.merge(source)


def expected(requests: Requests) -> dict[str, reference.Trace]:
    traces = {name: reference.merge(events, JOURNEY.expected) for name, events in requests.items()}
    return {name: trace for name, trace in traces.items() if trace}


def check_fates(db: Database, requests: Requests) -> None:
    columns = "fate, stage, component, reason, position, dropped_earlier, sources, score, model_rank"
    query = f"SELECT request_id, item, {columns} FROM ({db.journey.fates(merged(db))})"
    found: dict[str, dict[str, reference.Fate]] = {name: {} for name in requests}
    for request_id, item, *fate in db.rows(query, ids=list(requests)):
        assert item not in found[request_id], "two fates of one candidate"
        found[request_id][item] = reference.Fate(*fate)
    for name, trace in expected(requests).items():
        assert found[name] == reference.fates(trace), [each.raw for each in requests[name]]


def check_traces(db: Database, requests: Requests) -> None:
    columns = (
        "request_id, placement, k, missing, responded, served_by, n_served, served, conflicts, statuses, "
        "arrayMap(s -> (s.stage, s.component, s.attempt), stages)"
    )
    rows = {row[0]: row[1:] for row in db.rows(f"SELECT {columns} FROM ({merged(db)})", ids=list(requests))}
    assert {name: list(row) for name, row in rows.items()} == {
        name: summary(trace) for name, trace in expected(requests).items()
    }


def summary(trace: reference.Trace) -> list[Any]:
    response, k = trace.response, trace.request["k"]
    served = (response.items or []) if response else []
    stated = response.payload.get("n_out") if response else None
    n_served = len(served) if stated is None else stated
    statuses = {
        "empty": response is not None and n_served == 0,
        "short": response is not None and n_served < k,
        "fallback": trace.served_by == "fallback",
        "error": any(s.status == "error" for s in trace.stages),
        "timeout": any(s.status == "timeout" for s in trace.stages),
        "no_response": response is None,
        "incomplete": bool(trace.missing),
        "conflict": trace.conflicts > 0,
    }
    return [
        trace.request["placement"],
        k,
        trace.missing,
        response is not None,
        trace.served_by,
        n_served,
        served,
        trace.conflicts,
        [status for status, holds in statuses.items() if holds],
        [(s.stage, s.component, s.attempt) for s in trace.stages],
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rng=st.randoms(use_true_random=False), count=st.integers(1, 5))
def test_sql_and_reference_agree(db: Database, rng: Random, count: int) -> None:
    requests = requests_of(rng, count)
    db.land([part(events) for events in requests.values()])
    check_traces(db, requests)
    check_fates(db, requests)


@pytest.mark.parametrize("seed", range(3))
def test_sql_and_reference_agree_on_many(db: Database, seed: int) -> None:
    requests = requests_of(Random(seed), 1000)
    db.land([part(events) for events in requests.values()])
    check_traces(db, requests)
    check_fates(db, requests)


def test_a_configured_order_decides_what_comes_next(db: Database) -> None:
    """Scoring before filtering, and of two filters the later one first."""
    order = ["request", "retrieval", "scoring", "filtering", "region", "stock", "response"]
    journey = dataclasses.replace(JOURNEY, orders={"home": order})
    lists = {
        ("request", "api"): None,
        ("filtering", "stock"): ["a"],
        ("filtering", "region"): ["a", "b"],
        ("scoring", "ranker"): ["a", "b", "c"],
        ("retrieval", "ann"): ["a", "b", "c", "d"],
        ("response", "api"): ["a"],
    }
    events = [
        event(raw("ordered", stage, component, ts=AT + at, items=items), AT)
        for at, ((stage, component), items) in enumerate(lists.items())
    ]
    db.land([part(events)])
    ordered = dataclasses.replace(db, journey=journey)
    query = f"SELECT arrayMap(s -> (s.stage, s.component), stages) FROM ({merged(ordered)})"
    ((stages,),) = db.rows(query, ids=["ordered"])
    assert [name for _, name in stages] == ["api", "ann", "ranker", "region", "stock", "api"]
    rows = db.rows(f"SELECT item, fate, stage, component FROM ({journey.fates(merged(ordered))})", ids=["ordered"])
    assert sorted(rows) == [
        ("a", "served", "response", ""),
        ("b", "unexplained", "filtering", "stock"),
        ("c", "unexplained", "filtering", "region"),
        ("d", "unexplained", "scoring", "ranker"),
    ]


def test_the_random_requests_meet_every_fate() -> None:
    traces = expected(requests_of(Random(1), 500))
    fates = [fate for trace in traces.values() for fate in reference.fates(trace).values()]
    assert {fate.fate for fate in fates} == {
        "served", "dropped", "stage_failed", "truncated", "cut", "stage_missing", "fallback", "no_response",
        "unexplained",
    }  # fmt: skip
    assert any(fate.dropped_earlier for fate in fates)
    assert any(len(fate.sources) == 3 for fate in fates)
    assert any(trace.conflicts for trace in traces.values())
