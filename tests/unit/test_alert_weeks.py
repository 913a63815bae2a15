"""What is unusual for this time of the week: from counts of weeks to what is told, and when it is over."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import pytest

from schemas.trends import BadCounts, WeekCounts
from streams.alerts.thresholds import Thresholds
from streams.alerts.weeks import WEEKS, Weeks, WeekSignals
from tests.support.looks import Looks

T = 1_700_000_100 // 300 * 300 - 10  # the last window of five minutes
USUAL = (1_000, 980, 1_040, 1_010, 990)


def counts(requests: int, empty: float = 0.01) -> BadCounts:
    return BadCounts(requests, requests, round(requests * empty), round(requests * empty), 0, 0)


def rows(now: BadCounts | None, before: Sequence[BadCounts] = tuple(map(counts, USUAL))) -> list[WeekCounts]:
    """now: None where nothing was asked at all."""
    here = WeekCounts(0, "home", now) if now else WeekCounts(0, "", BadCounts(0, 0, 0, 0, 0, 0))
    return [here, *(WeekCounts(week, "home", each) for week, each in enumerate(before, 1))]


Told: Final = partial(Looks, WeekSignals, T)
LOW, NORMAL, HIGH = rows(counts(600)), rows(counts(1_000)), rows(counts(1_600))


def test_traffic_that_is_too_low_for_the_time_of_the_week_is_told_and_ends() -> None:
    told = Told()
    assert told.look(LOW, LOW, NORMAL, LOW, LOW) == []
    assert told.look(LOW) == ["firing TrafficUnusual placement=home"]
    (state,) = told.states.values()
    assert state.severity == "ticket"
    assert state.annotations["summary"] == (
        "home got 600 requests in five minutes; at this time of the week 1,000 are usual (the median of 5 weeks)."
    )
    assert told.look(NORMAL, LOW, NORMAL) == []
    assert told.look(NORMAL) == ["resolved TrafficUnusual placement=home"]


def test_no_request_at_all_is_unusual_and_more_of_them_are_not() -> None:
    assert Told().look(*[rows(None)] * 3) == ["firing TrafficUnusual placement=home"]
    assert Told().look(*[HIGH] * 5) == []


def test_one_strange_week_does_not_count() -> None:
    strange = [counts(1_000), counts(1_000), counts(100), counts(1_000), counts(9_000)]
    assert Told().look(*[rows(counts(1_000), strange)] * 3) == []
    assert Told().look(*[rows(counts(600), strange)] * 3) == ["firing TrafficUnusual placement=home"]


@pytest.mark.parametrize(
    "before",
    [
        [counts(50)] * 5,  # 30 instead of 50 may be chance
        [counts(40)] * 5,
        [counts(n) for n in (300, 100, 500, 40, 250)],  # nothing is usual here
        [counts(1_000)] * 2,
        [counts(1_000)] * 2 + [counts(0)] * 3,  # nobody asked for it yet
    ],
)
def test_what_may_be_chance_or_is_not_known_says_nothing(before: list[BadCounts]) -> None:
    assert Told().look(*[rows(counts(30, 0), before)] * 5) == []


def test_a_slot_that_is_not_known_in_full_says_nothing() -> None:
    unknown = [row for row in LOW if row.weeks]
    assert Told().look(*[unknown] * 5) == []


def test_a_share_that_is_unusual_is_told_by_its_most_telling_metric_and_ends() -> None:
    told = Told()
    bad = rows(counts(1_000, 0.05))
    assert told.look(bad, bad, bad) == ["firing SharesUnusual placement=home metric=empty"]
    state = next(state for state in told.states.values() if state.told)
    assert state.annotations == {
        "summary": "5.0% of the requests at home got an empty response (50 of 1,000 in five minutes); at this time of "
        "the week 1.0% are usual (the median of 5 weeks).",
        "description": "`rectrace changed empty --since 1h --against 1d` shows where they come from.",
    }
    assert told.look(NORMAL, NORMAL) == ["resolved SharesUnusual placement=home metric=empty"]


def test_shares_that_are_as_usual_or_hardly_different_or_better_say_nothing() -> None:
    often = [counts(1_000, 0.4)] * 5
    assert Told().look(*[rows(counts(1_000, 0.41), often)] * 5) == []
    assert Told().look(*[rows(counts(1_000, 0.1), often)] * 5) == []
    assert Told().look(*[rows(counts(100_000, 0.018))] * 5) == []
    assert Told().look(*[rows(counts(180, 0.3))] * 2) == []


def test_thresholds() -> None:
    said = {"TrafficUnusual": {"placements": {"home": {"threshold": 0.5}}}, "SharesUnusual": {"enabled": False}}
    assert Told(said).look(*[rows(counts(600, 0.5))] * 3) == []
    assert Told(said).look(*[rows(counts(400, 0.5))] * 3) == ["firing TrafficUnusual placement=home"]


class Store:
    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def weeks(self, last: int, weeks: int) -> list[WeekCounts]:
        self.asked.append((last, weeks))
        return LOW


def test_what_is_read() -> None:
    store = Store()
    found = Weeks(store, Thresholds()).load(T - 200, T + 200)
    assert store.asked == [(T, WEEKS)]
    assert [window for window in (T - 10, T, T + 10) if list(found.at(window, ()))] == [T]
