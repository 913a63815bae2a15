"""Golden examples of every event version, all the way: bytes, envelope, part, landing row, sealed trace, fates."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.golden import examples
from schemas.parts import Event
from schemas.pipeline import STAGES
from sinks.clickhouse.client import connect
from sinks.clickhouse.rows import text
from tests.support import reference
from tests.support.database import Database
from tests.support.events import event, part

AT = int(time.time()) * 1000


@pytest.fixture(scope="module")
def db(clickhouse: str) -> Iterator[Database]:
    with connect(clickhouse) as client:
        yield Database.create(client, "test_golden_traces")
        client.command("DROP DATABASE test_golden_traces SYNC")


def golden(version: str, form: str) -> list[Event]:
    records = examples(version)
    return [event(records[f"{stage}.{form}"], AT + at) for at, stage in enumerate(STAGES)]


@pytest.mark.parametrize("form", ["minimal", "full"])
def test_a_request_of_golden_events_is_one_trace_with_every_field(db: Database, form: str) -> None:
    db.clear()
    events = golden("v1", form)
    ids = {each.envelope.request_id for each in events}
    assert len(ids) == 1, "the golden events of one form are one request"
    db.land([part(events)])
    db.settle()
    (stored,) = db.client.raw_query(f"SELECT * FROM {db.name}.traces", fmt="JSONEachRow").splitlines()
    trace = json.loads(stored)
    request = json.loads(events[0].raw)
    assert trace["placement"] == request["placement"]
    assert trace["k"] == request["k"]
    assert trace["user_id"] == str(request.get("user_id", ""))
    for name in ("segments", "experiments"):
        given = request.get(name) or {}
        assert trace[name] == {key: text(value) for key, value in given.items() if value is not None}
    assert json.loads(trace["context"] or "{}") == (request.get("context") or {})
    assert trace["expects"] == (request.get("expects") or [])
    assert [stage["stage"] for stage in trace["stages"]] == list(STAGES)
    for stage, each in zip(trace["stages"], events, strict=True):
        check_stage(stage, {name: value for name, value in json.loads(each.raw).items() if value is not None})


def check_stage(stored: dict[str, Any], payload: dict[str, Any]) -> None:
    assert stored["component"] == payload["component"]
    assert stored["version"] == payload.get("version", "")
    assert stored["attempt"] == payload.get("attempt", 0)
    assert stored["status"] == payload.get("status", "ok")
    assert stored["error"] == payload.get("error", "")
    for name in ("seq", "n_in", "n_out", "n_unique"):
        assert stored[name] == payload.get(name), name
    assert same([stored["duration_ms"]], [payload.get("duration_ms")])
    assert stored["has_items"] is ("items" in payload)
    assert stored["items"] == [str(item) for item in payload.get("items") or []]
    assert same(stored["scores"], payload.get("scores") or [])
    dropped = {reason: [str(item) for item in items] for reason, items in (payload.get("dropped") or {}).items()}
    assert stored["dropped"] == dropped
    assert stored["dropped_counts"] == (payload.get("dropped_counts") or {})
    assert stored["truncated"] is payload.get("truncated", False)
    for adjustment, given in zip(stored["adjustments"], payload.get("adjustments") or [], strict=True):
        assert same([adjustment["delta"]], [given.get("delta")])
        assert adjustment["position"] == given.get("position")
        assert [adjustment[name] for name in ("rule_id", "item", "action")] == [
            str(given[name]) for name in ("rule_id", "item", "action")
        ]


def same(stored: list[float | None], given: list[float | None]) -> bool:
    """As Float32."""
    return len(stored) == len(given) and all(
        a == b or (a is not None and b is not None and abs(a - b) <= abs(b) * 1e-6)
        for a, b in zip(stored, given, strict=True)
    )


@pytest.mark.parametrize("form", ["minimal", "full"])
def test_the_candidates_of_golden_events_have_their_fates(db: Database, form: str) -> None:
    db.clear()
    events = golden("v1", form)
    db.land([part(events)])
    db.settle()
    trace = reference.merge(events, db.journey.expected)
    assert trace
    wanted = {item: (fate.fate, fate.stage, fate.reason) for item, fate in reference.fates(trace).items()}
    rows = db.rows("SELECT item, fate, stage, reason FROM $database.item_outcomes WHERE segment = ''")
    assert {item: tuple(rest) for item, *rest in rows} == wanted
    assert wanted
