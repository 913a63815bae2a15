"""An item by segment, what it would need, and how far back traces are read for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rectrace.item_reach import SegmentLine, by_segment, need, newest
from sinks.clickhouse.reader import Period

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def row(segment: str, fate: str, now: int, before: int, requests: int = 100) -> dict[str, Any]:
    return {"segment": segment, "fate": fate, "stage": "filtering", "component": "stock", "reason": "gone", "now": now,
            "before": before, "requests": requests, "requests_before": requests}  # fmt: skip


def test_by_segment_the_most_candidacies_first() -> None:
    rows = [
        row("country=DE", "dropped", 6, 0),
        row("country=DE", "served", 2, 4),
        row("country=DE", "cut", 1, 0),
        row("country=FR", "served", 10, 0, requests=0),
        row("country=JP", "dropped", 0, 5),
    ]
    assert by_segment(rows) == [
        SegmentLine("country=FR", 0, 10, 10, None, 1.0, None, ""),
        SegmentLine("country=DE", 100, 9, 2, 0.09, 2 / 9, 1.0, "dropped in filtering by stock: gone"),
        SegmentLine("country=JP", 100, 0, 0, 0.0, None, 0.0, ""),
    ]


def test_what_it_would_need_is_said_of_what_was_looked_at() -> None:
    found = {"requests": 10, "enough": 3, "score": 0.25, "rank": 40, "scored": 1_200, "needed": 0.5, "slots": 20}
    assert need(found, 500) == (
        "By its score alone it would have been served in 30% of the time (10 requests scored it): its score is 0.25 "
        "(rank 40 of 1,200), and the last of 20 slots takes 0.5 (medians)."
    )
    assert "(its newest 10 requests that scored it)" in need(found, 10)
    assert need({**found, "requests": 0}, 500) == ""


def test_traces_are_read_as_far_back_as_there_are_enough() -> None:
    period = Period(NOON, NOON + timedelta(minutes=1))
    windows = [(NOON + timedelta(seconds=10 * n), 100) for n in range(6)]
    assert newest(windows, period, 250) == Period(NOON + timedelta(seconds=30), period.until)
    assert newest(windows, period, 601) == newest([], period, 1) == period
    early = [(NOON - timedelta(seconds=5), 100)]  # a window that begins before
    assert newest(early, period, 1) == period
