"""Segments that are worse: from counts of slots to what is told, and when it is over."""

import itertools
from collections.abc import Mapping, Sequence

import pytest

from schemas.trends import SLOT_S, BadCounts, SegmentCounts
from streams.alerts.segments import USUAL_S, Segments, SegmentSignals
from streams.alerts.thresholds import Thresholds
from tests.support.looks import Looks

T = 1_700_000_100 // 300 * 300 - 10  # the last window of five minutes
FIRST = T + 10 - 3 * SLOT_S
PLACEMENTS, COUNTRIES = ("home", "cart", "search"), ("DE", "FR", "US", "JP")
Rates = Mapping[tuple[str, str], float]


def counts(n: int, rate: float) -> BadCounts:
    """Empty responses, which are short, too."""
    return BadCounts(n, n, round(n * rate), round(n * rate), 0, 0)


def rows(
    *slots: Rates, usual: Rates | None = None, n: int = 1_000, more: Mapping[str, float] | None = None,
    before: Mapping[str, float] | None = None, since: int = FIRST - USUAL_S,
) -> list[SegmentCounts]:  # fmt: skip
    """n requests of each country at each placement in a slot, as often as `more` says of a placement; by placement and
    country (empty: all others) the share of them that is empty, else 2 %. The usual time has six times as many."""
    found = []
    for time, rates in enumerate([usual or {}, *slots]):
        size = {place: 6 * n * (before or {}).get(place, 1) if not time else n * (more or {}).get(place, 1)
                for place in PLACEMENTS}  # fmt: skip
        for place in PLACEMENTS:
            known = [
                rates.get((place, name), rates.get((place, ""), rates.get(("", name), 0.02))) for name in COUNTRIES
            ]
            cells = [counts(round(size[place]), rate) for rate in known]
            total = BadCounts(*map(sum, zip(*cells, strict=True)))
            listed = [("", total), *((f"country={name}", cell) for name, cell in zip(COUNTRIES, cells, strict=True))]
            at = since if not time else FIRST + (time - 1) * SLOT_S
            found += [SegmentCounts(place, segment, time, at, cell) for segment, cell in listed]
    return found


class Told(Looks[SegmentCounts]):
    """What is found is as of T."""

    def __init__(self, said: Mapping[str, object] | None = None) -> None:
        super().__init__(SegmentSignals, T, said)

    def look(self, *slots: Sequence[SegmentCounts]) -> list[str]:
        """As Looks says."""
        told = []
        for found in slots:
            apart = self.window - T
            told += super().look([row._replace(since=row.since + apart) for row in found])
        return told


DE: Rates = {("home", "DE"): 0.3}
HOME_DE = "SegmentWorse placement=home segment=country=DE metric=empty"


def test_a_segment_that_is_worse_three_times_is_told_once_and_ends() -> None:
    told = Told()
    assert told.look(rows({}, DE, DE)) == []
    assert told.look(rows(DE, DE, DE)) == [f"firing {HOME_DE}"]
    (short,) = [state for state in told.states.values() if state.labels["metric"] == "short"]
    assert (short.told, short.inhibited_by) == (False, HOME_DE)
    empty = next(state for state in told.states.values() if state.labels["metric"] == "empty")
    assert empty.annotations["summary"] == (
        "country=DE at home: 30% of its requests got an empty response (300 of 1,000 in five minutes; expected are "
        "2.0%, by the other requests). That costs 280 requests which others would not have lost."
    )
    assert empty.began == T + SLOT_S + 10 - 3 * SLOT_S
    assert told.look(rows(DE, DE, DE)) == []
    assert told.look(rows(DE, DE, {})) == []
    assert told.look(rows(DE, {}, {})) == [f"resolved {HOME_DE}"]


@pytest.mark.parametrize(
    ("rates", "name"),
    [
        ({("home", ""): 0.1}, "placement=home"),
        ({("", "DE"): 0.1}, "segment=country=DE"),
        ({("cart", "JP"): 0.1}, "placement=cart segment=country=JP"),
    ],
)
def test_children_are_rolled_up_into_the_parent_that_says_it_all(rates: Rates, name: str) -> None:
    assert Told().look(rows(rates, rates, rates)) == [f"firing SegmentWorse {name} metric=empty"]


def test_a_segment_that_was_always_worse_is_no_news() -> None:
    assert Told().look(rows(DE, DE, DE, usual=DE)) == []
    assert Told().look(rows({}, {}, {})) == []


def test_what_is_worse_only_because_the_rest_got_better_is_no_news() -> None:
    followed: Rates = {("search", ""): 0.6}
    assert Told().look(rows({}, {}, {}, usual=followed)) == []


def test_more_or_less_traffic_where_empty_is_usual_is_no_news() -> None:
    followed: Rates = {("search", ""): 0.6}
    for more, before in itertools.product((0.2, 1, 5), repeat=2):
        found = rows(followed, followed, followed, usual=followed, more={"search": more}, before={"search": before})
        assert Told().look(found) == []
    worse = {**followed, **DE}
    found = rows(worse, worse, worse, usual=followed, more={"search": 0.2})
    assert Told().look(found) == [f"firing {HOME_DE}"]


def test_few_requests_small_effects_and_short_memories_say_nothing() -> None:
    assert Told().look(rows(DE, DE, DE, n=30)) == []
    slight: Rates = {("home", "DE"): 0.028}
    assert Told().look(rows(slight, slight, slight, n=100_000)) == []
    assert Told().look(rows(DE, DE, DE, since=FIRST - 3_590)) == []
    assert Told().look(rows(DE, DE, DE, since=FIRST - 3_600)) == [f"firing {HOME_DE}"]


def test_a_placement_that_is_new_is_compared_with_nothing() -> None:
    new: Rates = {("search", ""): 0.5}
    found = [row for row in rows(new, new, new) if row.time or row.placement != "search"]
    assert Told().look(found) == []


def test_what_was_told_goes_on_though_another_one_says_it_better() -> None:
    told = Told()
    assert told.look(rows(DE, DE, DE)) == [f"firing {HOME_DE}"]
    home: Rates = {("home", ""): 0.3}
    assert told.look(rows(home, home, home)) == []
    assert told.look(rows(home, home, home)) == []


def test_thresholds() -> None:
    assert Told({"SegmentWorse": {"enabled": False}}).look(rows(DE, DE, DE)) == []
    assert Told({"SegmentWorse": {"threshold": 0.4}}).look(rows(DE, DE, DE)) == []
    assert Told({"SegmentWorse": {"placements": {"home": {"threshold": 0.4}}}}).look(rows(DE, DE, DE)) == []
    assert Told({"SegmentWorse": {"needed": 2, "of": 2}}).look(rows(DE, DE)) == [f"firing {HOME_DE}"]


class Store:
    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []

    def segments(self, since: int, first: int, last: int) -> list[SegmentCounts]:
        self.asked.append((since, first, last))
        return rows(DE, DE, DE)


def test_what_is_read() -> None:
    store = Store()
    found = Segments(store, Thresholds()).load(T - 200, T + 200)
    assert store.asked == [(FIRST - USUAL_S, FIRST, T)]
    assert [window for window in (T - 10, T, T + 10) if list(found.at(window, ()))] == [T]
