"""Addresses of the console, and the files that tables are exported to."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from rectrace.console import addresses
from rectrace.console.addresses import BadAddress, Span, span
from rectrace.console.export import as_csv, as_json
from rectrace.console.pages.requests import Asked
from rectrace.console.tables import Column, View, matching
from sinks.clickhouse.reader import RequestFilter

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ({}, NOW - timedelta(minutes=15), NOW),
        ({"from": "now-2d", "to": "now-1d"}, NOW - timedelta(days=2), NOW - timedelta(days=1)),
        ({"from": "2026-06-01T11:00:00Z"}, NOW - timedelta(hours=1), NOW),
        ({"from": "2026-06-01T13:00:00 02:00"}, NOW - timedelta(hours=1), NOW),
        ({"from": "2026-06-01T11:00"}, NOW - timedelta(hours=1), NOW),
        ({"from": "1780311600000", "to": "1780313400000"}, NOW - timedelta(hours=1), NOW - timedelta(minutes=30)),
    ],
)
def test_time_range(query: dict[str, str], since: datetime, until: datetime) -> None:
    found = span(query, NOW)
    assert (found.since, found.until) == (since, until)
    assert span(found.query, NOW) == found
    later = span(found.fixed, NOW + timedelta(days=1))
    assert (later.since, later.until) == (since, until)


@pytest.mark.parametrize(
    "query",
    [{"from": "yesterday"}, {"from": "now+1h"}, {"to": "now-1h"}, {"from": "now-401d"}, {"from": "now-999999d"},
     {"from": "9" * 30}, {"to": "<script>"}],
)  # fmt: skip
def test_a_time_range_that_is_none_is_said(query: dict[str, str]) -> None:
    with pytest.raises(BadAddress, match=r"from|to="):
        span(query, NOW)


def test_ids_are_escaped() -> None:
    assert addresses.request("a/b?c#d é<") == "/requests/a%2Fb%3Fc%23d%20%C3%A9%3C"
    assert addresses.to("/requests", user="a&b=c", item="", from_="now-1h") == "/requests?user=a%26b%3Dc&from=now-1h"


def test_the_whole_state_of_a_list_of_requests_is_its_address() -> None:
    wanted = RequestFilter(
        "u&1", "home", "short", "g 1", "served", "country=DE", "ranker=v2", "api=1.2", "out-of-season"
    )
    asked = Asked(Span("now-1h", "now-5m", NOW - timedelta(hours=1), NOW - timedelta(minutes=5)), wanted, 50,
                  View("-total_ms", "android"))  # fmt: skip
    parsed = dict(parse_qsl(asked.address.partition("?")[2]))
    assert Asked.of(parsed, NOW) == asked
    assert Asked.of({}, NOW).address == "/requests"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"status": "failed"}, "status='failed' is none of empty, short,"),
        ({"fate": "lost", "item": "g1"}, "fate='lost' is none of served, dropped"),
        ({"fate": "served"}, "is of an item"),
        ({"segment": "DE"}, "segment='DE' is not NAME=VALUE"),
        ({"arm": "=v2"}, "arm='=v2' is not NAME=VALUE"),
        ({"limit": "-1"}, "limit='-1' is no number"),
        ({"limit": "5001"}, "from 1 to 5,000"),
    ],
)
def test_what_cannot_be_asked_is_said(query: dict[str, str], told: str) -> None:
    with pytest.raises(BadAddress, match=told):
        Asked.of(query, NOW)


def test_csv_and_json() -> None:
    rows: list[dict[str, Any]] = [
        {"item": 'g,"1"', "score": 0.5, "at": NOW},
        {"item": "=cmd()", "score": None, "more": 1},
    ]
    read = list(csv.DictReader(io.StringIO(as_csv(["item", "score", "at"], rows).decode())))
    assert read[0] == {"item": 'g,"1"', "score": "0.5", "at": "2026-06-01T12:00:00+00:00"}
    assert read[1] == {"item": "'=cmd()", "score": "", "at": ""}
    assert json.loads(as_json(["item", "score"], rows)) == [
        {"item": 'g,"1"', "score": 0.5}, {"item": "=cmd()", "score": None},
    ]  # fmt: skip


def test_what_is_exported_is_what_is_shown() -> None:
    columns = [Column("item", "item"), Column("rank", "rank", digits=0)]
    rows = [{"item": "G1", "rank": 7, "href": "x"}, {"item": "g2", "rank": 17}]
    assert [matching(columns, rows, find) for find in ("g1", "7", "x", "")] == [rows[:1], rows, [], rows]
