"""A backtest adds up to what there was, however it was cut into batches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from rectrace.backtesting import Batch, batches
from schemas.rule_examples import Example
from schemas.rules import Rule
from streams.rules.backtest import Backtest, Slice, segments
from streams.rules.examples import frames

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
SPAN = 60.0


def rule(name: str, scope: str, when: str, **more: Any) -> Rule:
    return Rule.model_validate({"id": name, "owner": "o", "message": "m", "scope": scope, "when": when, **more})


RULES = [
    rule("dear", "item", "price > 10", fires={"share": 0.5, "within": "10s", "group_by": ["segments.country"]}),
    rule("empty", "slate", "count() = 0", severity="page"),
    rule("slow", "trace", "total_ms > 100", active={"from": (NOON + timedelta(seconds=20)).isoformat()}),
    rule("broken", "item", "brnad = 'x'"),
]


def request(seconds: int, price: float, country: str, **fields: Any) -> Example:
    items = [{"item": f"g{seconds}{country}", "price": price}, {"item": "free"}]
    return Example.model_validate(
        {"at": NOON + timedelta(seconds=seconds), "segments": {"country": country}, "items": items, **fields}
    )


ASKED = [
    request(1, 11, "DE"),
    request(2, 9, "FR"),
    request(11, 12, "DE", total_ms=200),
    request(12, 9, "FR", items=[]),
    request(31, 9, "DE", total_ms=200),
    request(32, 9, "FR", responded=False),
    request(45, 20, "DE", experiments={"ranker": "v2"}),
]


def test_the_whole() -> None:
    found = {each.rule.id: each for each in having_added(len(ASKED)).found(SPAN)}
    assert set(found) == {"dear", "empty", "slow"}
    dear = found["dear"]
    assert (dear.judged, dear.hit, dear.violations, dear.share) == (6, 3, 3, 0.5)
    assert (dear.fired, dear.firing_s, dear.a_week) == (2, 30, 2 * 7 * 86_400 / SPAN)
    assert dear.segments == [Slice("country=DE", 4, 3)]
    assert dear.examples == ["example-7", "example-3", "example-1"]
    assert (found["empty"].judged, found["empty"].hit, found["empty"].firing_s) == (6, 1, 60)
    assert (found["slow"].judged, found["slow"].hit, found["slow"].examples) == (3, 1, ["example-5"])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_batches_add_up(size: int) -> None:
    assert having_added(size).found(SPAN) == having_added(len(ASKED)).found(SPAN)


def test_rules_that_cannot_be_judged_are_named() -> None:
    assert set(having_added(2).failed) == {"broken"}


def test_segments_of_requests() -> None:
    traces, _ = frames([request(1, 1, "DE", experiments={"a": "b"}), request(2, 1, "FR", segments=None)])
    assert sorted(segments(traces).rows()) == [
        ("example-1", "country=DE"),
        ("example-1", "experiment.a=b"),
        ("example-1", "placement=home"),
        ("example-2", "placement=home"),
    ]


def test_batches_end_where_windows_do() -> None:
    windows = [(NOON + timedelta(seconds=10 * number), count) for number, count in enumerate([3, 4, 20, 1])]
    second = timedelta(seconds=1)
    assert list(batches(windows, 7)) == [
        Batch(NOON, NOON + 20 * second, 7),
        Batch(NOON + 20 * second, NOON + 30 * second, 20),
        Batch(NOON + 30 * second, NOON + 40 * second, 1),
    ]
    assert list(batches(windows, 1_000)) == [Batch(NOON, NOON + 40 * second, 28)]
    assert list(batches([], 7)) == []


def having_added(size: int) -> Backtest:
    """With so many windows a batch."""
    traces, catalog = frames(ASKED)
    number = (pl.col("at").dt.epoch("s") - int(NOON.timestamp())) // (10 * size)
    backtest = Backtest(RULES)
    for batch in traces.with_columns(number.alias("batch")).partition_by("batch", maintain_order=True):
        backtest.add(batch.select(backtest.columns), catalog)
    return backtest
