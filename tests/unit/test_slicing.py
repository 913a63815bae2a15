"""Slices against all others: who loses how much, what is too little to say, and what chance explains."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rectrace.changed_facts import NONE, Pair
from rectrace.slicing import METRICS, Slice, compared, heat, lines, measure, overall, quantile_interval, slices
from rectrace.slicing_asked import kept
from sinks.clickhouse.changes import LEVELS, Times
from sinks.clickhouse.slices import blocks

FLAT = [100.0 + level * 100 for level in LEVELS]  # ms, evenly from 101 to 199


def row(first: str, second: str, requests: int, *, now: bool = True, **more: Any) -> dict[str, Any]:
    told = {"responded": requests, "empty": 0, "served": requests * 10, "latency": FLAT, **more}
    return {"first": first, "second": second, "is_now": int(now), "requests": requests, **told}


ROWS = [
    row("DE", "home", 1_000, empty=60),
    row("DE", "cart", 50, empty=9),
    row("FR", "home", 2_000, empty=10),
    row("FR", "cart", 1_000, empty=6),
    row("", "cart", 200),
    row("DE", "home", 900, now=False, empty=5),
]


def test_most_lost_first_and_nothing_is_said_of_few() -> None:
    told = lines(METRICS["empty"], slices(ROWS, METRICS["empty"], 0.0))
    worst, few, *rest = told
    assert worst.values == ("DE", "home")
    assert worst.expected == pytest.approx(25 / 3_250)
    assert worst.lost == pytest.approx(60 - 1_000 * 25 / 3_250)
    assert worst.before == pytest.approx(5 / 900)
    assert worst.interval is not None
    assert worst.interval.low < 0.06 < worst.interval.high
    assert (worst.verdict, few.values, few.verdict) == ("worse", ("DE", "cart"), "few requests")
    assert {(each.values, each.verdict) for each in rest} == {
        ((NONE, "cart"), ""), (("FR", "cart"), "better"), (("FR", "home"), "better"),
    }  # fmt: skip
    assert sum(each.part for each in told) == 85
    assert overall(told) == pytest.approx(85 / 4_250)


def test_what_is_more_is_better_of_some_metrics() -> None:
    rows = [row("DE", "", 500, shown=5_000, clicks=100), row("FR", "", 500, shown=5_000, clicks=300)]
    worst, best = lines(METRICS["ctr"], slices(rows, METRICS["ctr"], 0.0))
    assert (worst.values, worst.verdict, best.verdict) == (("DE", NONE), "worse", "better")
    assert worst.lost == pytest.approx(200)
    assert worst.value == pytest.approx(0.02)


def test_counts_have_no_others() -> None:
    told = lines(METRICS["requests"], slices(ROWS, METRICS["requests"], 0.0))
    assert [each.part for each in told] == [2_000, 1_000, 1_000, 200, 50]
    assert {(each.lost, each.expected, each.verdict) for each in told} == {(None, None, "")}


def test_a_latency_is_about_requests_above_that_of_all() -> None:
    slower = [level + 40 for level in FLAT]
    rows = [row("DE", "", 1_000, latency=slower), row("FR", "", 3_000), row("US", "", 0)]
    worst, other = lines(METRICS["latency"], slices(rows, METRICS["latency"], 195.0))
    assert worst.values[0] == "DE"
    assert worst.value == pytest.approx(235)
    assert other.value == pytest.approx(195)
    assert worst.share == pytest.approx(0.45)
    assert worst.expected == pytest.approx(0.05)
    assert worst.lost == pytest.approx(400)
    assert worst.verdict == "worse"
    assert worst.interval == pytest.approx((234, 236), abs=1.01)


@pytest.mark.parametrize(("n", "bounds"), [(100_000, (194, 196)), (1_000, (194, 196)), (400, (193, 197)), (40, None)])
def test_the_interval_of_a_quantile_is_wide_for_few(n: int, bounds: tuple[float, float] | None) -> None:
    assert quantile_interval(FLAT, 0.95, n) == (pytest.approx(bounds) if bounds else None)


def test_two_slices_differ_by_an_interval() -> None:
    found = {each.values[0]: each for each in slices(ROWS[:1] + ROWS[2:3], METRICS["empty"], 0.0)}
    differs = compared(METRICS["empty"], found["DE"], found["FR"])
    assert differs is not None
    more, interval, z = differs
    assert more == pytest.approx(0.055)
    assert interval is not None
    assert 0.03 < interval.low < more < interval.high < 0.08
    assert z > 8
    assert compared(METRICS["empty"], found["DE"], Slice(("US",), Pair())) is None
    assert compared(METRICS["requests"], found["DE"], found["FR"]) is None
    (served, _) = slices(ROWS[:1] + ROWS[2:3], METRICS["served"], 0.0)
    mean = measure(METRICS["served"], served)
    assert mean is not None
    assert mean.interval == pytest.approx((9.69, 10.31), abs=0.01)


def test_a_cell_is_as_hot_as_is_certain() -> None:
    told = {each.values: each for each in lines(METRICS["empty"], slices(ROWS, METRICS["empty"], 0.0))}
    hot, few, cold = told["DE", "home"], told["DE", "cart"], told["FR", "home"]
    assert hot.interval
    assert few.interval
    assert cold.interval
    assert heat(hot, 0.02) == hot.interval.low
    assert heat(few, 0.17) == 0.17 > few.interval.low
    assert heat(cold, 0.02) == cold.interval.high
    assert heat(cold, 0.006) == 0.006


def test_what_is_older_than_traces_is_left_out() -> None:
    until, hour = datetime(2026, 6, 3, tzinfo=UTC), timedelta(hours=1)
    times = Times.ending(until, 2 * hour, 2 * hour)
    assert kept(times, until - 4 * hour) == (times, True)
    assert kept(times, until - 3 * hour) == (times, False)
    assert kept(times, until - hour) == (Times.ending(until, hour, 2 * hour), False)
    assert kept(times, until) == (None, False)


@pytest.mark.parametrize(
    ("requests", "most", "condition"),
    [
        (1_000, 1_000, "true"),
        (1_999, 1_000, "true"),
        (72_000, 36_000, "intDiv(toUnixTimestamp(window), 50) % 2 = 0"),  # 100 a window: stretches of five
        (72_000, 500, "intDiv(toUnixTimestamp(window), 50) % 144 = 0"),
        (720_000, 500, "intDiv(toUnixTimestamp(window), 10) % 720 = 0"),  # a window is the least
    ],
)
def test_samples_are_stretches_of_windows(requests: float, most: int, condition: str) -> None:
    times = Times.ending(datetime(2026, 6, 3, tzinfo=UTC), timedelta(hours=2), timedelta(hours=2))
    assert blocks(times, requests, most) == condition
