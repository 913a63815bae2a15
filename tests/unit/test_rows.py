"""Parts as rows of `landing`."""

import json
from typing import Any

import pytest

from schemas.parts import Part
from sinks.clickhouse import rows
from tests.support.events import event, part, raw

AT = 1_700_000_003_456


def row(of: Part) -> dict[str, Any]:
    (line,) = rows.encode([of]).splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_request_columns_come_from_the_request_event() -> None:
    data = raw(
        "r1", "request", ts=AT - 5, placement="home", k=20, user_id=7,
        segments={"country": "DE", "vip": True, "n": None},
        experiments={"rank": 2}, context={"q": "ä"}, expects=["ann", "scoring"],
    )  # fmt: skip
    found = row(part([event(data, AT)]))
    assert found | {"stages": [], "spans": [], "closed": ""} == {
        "window": 1_700_000_000,
        "request_id": "r1",
        "has_request": True,
        "at": 1_700_000_003.456,
        "request_hash": event(data, AT).hash,
        "requested_at": 1_700_000_003.451,
        "user_id": "7",
        "placement": "home",
        "k": 20,
        "segments": {"country": "DE", "vip": "true"},
        "experiments": {"rank": "2"},
        "context": '{"q": "\\u00e4"}',
        "expects": ["ann", "scoring"],
        "stages": [],
        "spans": [],
        "closed": "",
    }


def test_arrays_are_the_bytes_they_came_as() -> None:
    items = b'[ "a" ,\n 1.50, "\\u00e9" ]'
    scores = b"[0.1234567890123456789,null,1e5]"
    data = b'{"schema_version":1,"request_id":"r1","ts":%d,"stage":"scoring","component":"m","items":%s,"scores":%s}'
    line = rows.encode([part([event(data % (AT, items, scores), AT)])])
    assert b'"items":' + items in line
    assert b'"scores":' + scores in line


def test_null_is_absent() -> None:
    data = raw(
        "r1", "scoring", ts=AT, items=None, scores=None, dropped=None, adjustments=None, status=None, attempt=None
    )
    (stage,) = row(part([event(data, AT)]))["stages"]
    assert set(stage) == {"stage", "component", "record_at", "hash", "ts", "status"}
    assert stage["status"] == "ok"


def test_an_empty_list_is_a_list() -> None:
    (stage,) = row(part([event(raw("r1", "scoring", ts=AT, items=[]), AT)]))["stages"]
    assert (stage["has_items"], stage["items"]) == (True, [])


def test_only_a_response_is_served_by_somebody() -> None:
    events = [event(raw("r1", stage, ts=AT), AT) for stage in ("response", "cutoff")]
    assert [stage.get("served_by") for stage in row(part(events))["stages"]] == ["primary", None]


@pytest.mark.parametrize("ms", [0, 1, 999, 1000, 1_700_000_000_001, 9_999_999_999_999])
def test_times_keep_their_milliseconds(ms: int) -> None:
    assert bytes(rows.seconds(ms)) == f"{ms // 1000}.{ms % 1000:03}".encode()


def test_the_window_is_that_of_the_lowest_request_event() -> None:
    events = [
        event(raw("r1", "response", ts=AT), 1_700_000_000_000),
        event(raw("r1", "request", ts=AT, k=1), 1_700_000_020_000),
        event(raw("r1", "request", ts=AT, k=2), 1_700_000_019_999),
    ]
    found = row(part(events))
    assert (found["window"], found["k"], found["at"]) == (1_700_000_010, 2, 1_700_000_019.999)


def test_without_a_request_the_window_is_that_of_the_first_record() -> None:
    events = [event(raw("r1", stage, ts=AT), at) for stage, at in (("response", 30_000), ("scoring", 29_999))]
    found = row(part(events))
    assert (found["window"], found["at"], found.get("has_request")) == (20, 29.999, None)


def test_of_two_requests_of_one_time_the_lower_hash_counts_however_they_were_cut() -> None:
    """The raw time of a record is not stored, so it must not decide: the merge could not know."""
    first, second = (event(raw("r1", "request", ts=AT, k=k), AT, raw_record_at=k) for k in (1, 2))
    lowest = min((first, second), key=lambda each: each.hash)
    for events in ([first, second], [second, first]):
        found = row(part(events))
        assert (found["request_hash"], found["k"]) == (lowest.hash, lowest.envelope.k)


def test_replaced_times_and_replays_are_flagged() -> None:
    data = raw("r1", "request", ts=AT)
    assert "flagged" not in row(part([event(data, AT)]))
    assert row(part([event(data, AT, raw_record_at=5)]))["flagged"] is True
    assert row(part([event(data, AT, replayed=True)]))["flagged"] is True


def test_names_that_need_escaping_stay_json() -> None:
    awkward = 'q"\\\n\u2028ü😀\x00'
    data = raw(awkward, "request", component=awkward, ts=AT, placement=awkward, segments={awkward: awkward})
    found = row(part([event(data, AT)]))
    assert found["request_id"] == found["placement"] == found["stages"][0]["component"] == awkward
    assert found["segments"] == {awkward: awkward}
