"""Error budgets, segments, components and weeks: from sealed windows in ClickHouse to the alert and its end."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace as but
from prometheus_client import CollectorRegistry

from rectrace import settings
from rectrace.alerting import explainer
from schemas.alerts import AlertState, Change
from schemas.parts import WINDOW_S
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.changes import Times
from sinks.clickhouse.client import connect
from sinks.clickhouse.different import Different
from sinks.clickhouse.reader import Reader
from sinks.clickhouse.slices import Within
from sinks.clickhouse.wrong_calls import WrongCalls
from streams.alerts.budgets import Budgets
from streams.alerts.components import Components
from streams.alerts.engine import Engine
from streams.alerts.model import SignalSource
from streams.alerts.segments import Segments
from streams.alerts.signals import BuiltIn
from streams.alerts.thresholds import Thresholds
from streams.alerts.weeks import Weeks
from streams.metrics import Metrics
from tests.support.alert_store import MemoryNotifier
from tests.support.alert_traffic import HEALTHY, Crowd, Traffic, Wrong
from tests.support.database import Database
from tests.support.events import event, part, raw

START = int(time.time()) // 3_600 * 3_600 - 6 * 3_600


class Bench:
    """Minutes that are like one window that was landed and sealed, and their evaluation."""

    def __init__(self, database: Database, *, pages: bool = False, components: bool = False) -> None:
        """components: these alone."""
        self.database = database
        self.traffic = Traffic(database, START)
        self.store = ClickHouseAlerts(database.client, database.name)
        self.receiver = MemoryNotifier()
        known = Thresholds()
        trends = self.store.trends
        sources: list[SignalSource] = (
            [Components(trends, known)]
            if components
            else [Budgets(trends, known), Segments(trends, known), Weeks(trends, known)]
        )
        if pages:
            sources.append(BuiltIn(self.store, known))
        self.engine = Engine(self.store, sources, {"am": self.receiver}, known, Metrics(CollectorRegistry()))

    def flow(self, minutes: int, *crowds: Crowd, evaluate: bool = True) -> None:
        """evaluate: minute by minute, but when it is done for the first time only the last ten."""
        self.traffic.mixed(*crowds)
        self.traffic.repeat(5 if evaluate else 6 * minutes - 1)
        for minute in range(minutes if evaluate else 0):
            self.traffic.repeat(6 if minute else 0)
            self.tick()

    def tick(self) -> None:
        self.receiver.now = self.traffic.window + 15.0
        self.engine.tick(self.receiver.now)

    @property
    def changes(self) -> Sequence[Change]:
        """What somebody was told."""
        every = [change for each in self.store.changed("sealed", 0, 1_000) for change in each.changes]
        return [change for change in every if change.told]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(change.state.name, change.status) for change in self.changes]

    def active(self) -> list[AlertState]:
        latest = self.store.latest("sealed")
        assert latest is not None
        return list(latest.states)


@pytest.fixture
def db(clickhouse: str, database: str) -> Iterator[Database]:
    with connect(clickhouse) as client:
        yield Database.create(client, database)


# Error budgets


def test_an_error_budget_that_burns_is_a_page_and_ends(db: Database) -> None:
    """30 % bad for half an hour: 15 % of the last hour, more than 14.4 times the 1 % of the objective."""
    bench = Bench(db)
    bench.flow(75, Crowd(20), evaluate=False)
    bench.flow(27, Crowd(20, Wrong(ranker_timeout=0.2, empty=0.1)))
    assert bench.told == []
    bench.flow(3, Crowd(20, Wrong(ranker_timeout=0.2, empty=0.1)))
    assert bench.told == [("BudgetBurn placement=home", "firing")]
    state = bench.changes[0].state
    assert state.severity == "page"
    assert "% of the requests of the last 1 h were bad" in state.annotations["summary"]
    bench.flow(8, Crowd(20))
    assert bench.told == [("BudgetBurn placement=home", "firing"), ("BudgetBurn placement=home", "resolved")]


@pytest.mark.long  # how fast it must burn: tests/unit/test_alert_budgets.py
def test_a_budget_that_is_spent_in_time_is_no_news(db: Database) -> None:
    """10 % bad for ten minutes."""
    bench = Bench(db)
    bench.flow(75, Crowd(20), Crowd(20, placement="cart"), evaluate=False)
    bench.flow(10, Crowd(20, Wrong(empty=0.1)), Crowd(20, placement="cart"))
    bench.flow(5, Crowd(20), Crowd(20, placement="cart"))
    assert (bench.told, bench.active()) == ([], [])


def test_bad_requests_are_counted_over_each_span(db: Database) -> None:
    bench = Bench(db)
    bench.traffic.mixed(Crowd(20, Wrong(empty=0.1)), Crowd(10, placement="cart"))
    bench.traffic.repeat(59)
    bench.traffic.mixed(Crowd(20, Wrong(ranker_timeout=0.5)))
    bench.traffic.flow(1, Wrong(empty=1.0), rate=20, incomplete=True)
    bench.traffic.repeat(1)
    last = bench.traffic.window - 10
    cart, home = bench.store.trends.spent(last, [20, 30, 60, 3_600])
    assert cart == ("cart", [0, 1, 4, 61], [0, 0, 0, 0], [0, 0, 30, 600])
    assert home == ("home", [0, 1, 4, 61], [0, 10, 16, 130], [0, 20, 80, 1_220])


@pytest.mark.long  # tests/unit/test_alert_inhibition.py has it, without ClickHouse
def test_a_page_says_the_budget_that_burns_because_of_it(db: Database) -> None:
    bench = Bench(db, pages=True)
    bench.flow(75, Crowd(20), evaluate=False)
    bench.flow(14, Crowd(20, Wrong(empty=1.0)))
    bench.flow(3, Crowd(20))
    page = "EmptyResponses placement=home"
    assert bench.told == [(page, "firing"), (page, "resolved")]
    (burns,) = [state for state in bench.active() if state.alert == "BudgetBurn"]  # as it will for half an hour
    assert (burns.status, burns.told, burns.inhibited_by) == ("firing", False, page)


# Segments

DE, FR = {"country": "DE"}, {"country": "FR"}


def crowds(wrong: Wrong = HEALTHY) -> list[Crowd]:
    """Of home a fifth is from DE: what is wrong with 5 % of it is wrong with 1 % of home, and nobody is called."""
    return [Crowd(20, wrong, segments=DE), Crowd(80, segments=FR), Crowd(20, placement="cart", segments=DE)]


def test_a_segment_that_is_worse_is_a_ticket_and_ends(db: Database) -> None:
    bench = Bench(db, pages=True)
    bench.flow(75, *crowds(), evaluate=False)
    bench.flow(14, *crowds(Wrong(empty=0.05)))
    assert bench.told == []
    bench.flow(6, *crowds(Wrong(empty=0.05)))
    name = "SegmentWorse placement=home segment=country=DE metric=empty"
    assert bench.told == [(name, "firing")]
    state = bench.changes[0].state
    assert "country=DE at home: 5.0% of its requests got an empty response (30 of 600" in state.annotations["summary"]
    assert state.began == START + 75 * 60
    assert state.examples == [f"home-DE-{START + 89 * 60}-0"]
    bench.flow(11, *crowds())
    assert bench.told == [(name, "firing"), (name, "resolved")]


def test_a_page_says_the_segment_that_is_worse(db: Database) -> None:
    bench = Bench(db, pages=True)
    bench.flow(75, *crowds(), evaluate=False)
    bench.flow(16, *crowds(Wrong(empty=0.5)))
    page = "EmptyResponses placement=home"
    assert bench.told == [(page, "firing")]
    worse = {state.name: state for state in bench.active() if state.alert == "SegmentWorse"}
    assert {name.removeprefix("SegmentWorse placement=home ") for name in worse} == {
        "segment=country=DE metric=empty", "segment=country=DE metric=short"
    }  # fmt: skip
    assert {(state.status, state.inhibited_by) for state in worse.values()} == {("firing", page)}


@pytest.mark.long  # tests/unit/test_alert_segments.py has it, without ClickHouse
def test_segments_that_are_all_alike_say_nothing(db: Database) -> None:
    """1.3 % of everything."""
    bench = Bench(db, pages=True)
    bad = Wrong(empty=1 / 80)
    bench.flow(75, Crowd(80, segments=DE), Crowd(80, segments=FR), evaluate=False)
    bench.flow(25, Crowd(80, bad, segments=DE), Crowd(80, bad, segments=FR))
    assert (bench.told, bench.active()) == ([], [])


# Components


def test_a_component_that_fails_for_a_few_of_all_is_a_ticket_and_ends(db: Database) -> None:
    """2 %, of no segment more than of the others: too few for a page."""
    bench = Bench(db, components=True)
    bench.flow(75, Crowd(50, segments=DE), Crowd(50, segments=FR), evaluate=False)
    few = Wrong(ranker_timeout=0.02)
    bench.flow(14, Crowd(50, few, segments=DE), Crowd(50, few, segments=FR))
    assert bench.told == []
    bench.flow(1, Crowd(50, few, segments=DE), Crowd(50, few, segments=FR))
    name = "ComponentWorse placement=home stage=scoring component=ranker metric=failed"
    assert bench.told == [(name, "firing")]
    state = bench.changes[0].state
    assert (
        "ranker (scoring) at home times out or fails in 2.0% of its calls (60 of 3,000" in state.annotations["summary"]
    )
    assert state.examples
    bench.flow(11, Crowd(50, segments=DE), Crowd(50, segments=FR))
    assert bench.told == [(name, "firing"), (name, "resolved")]


@pytest.mark.parametrize(
    ("metric", "stage", "component", "wrong"),
    [
        ("degenerate", "scoring", "ranker", Wrong(constant=1.0)),
        ("failed", "scoring", "ranker", Wrong(ranker_timeout=1.0)),
        ("zero_out", "retrieval", "ann", Wrong(ann_empty=1.0)),
    ],
)
def test_it_says_whose_calls_go_wrong(
    db: Database, clickhouse: str, metric: str, stage: str, component: str, wrong: Wrong
) -> None:
    traffic = Traffic(db, START)
    traffic.mixed(Crowd(30, wrong, segments=DE), Crowd(300, segments=FR))
    labels = {"placement": "home", "stage": stage, "component": component, "metric": metric}
    state = AlertState("ComponentWorse", labels, "ticket", "firing", START, [(START, "b")])
    where = settings.load(clickhouse=clickhouse, database=db.name)
    explain = explainer(where, db.client, ClickHouseAlerts(db.client, db.name))
    said = explain(state, START)
    assert said.startswith("Commoner among these requests than among the others: country=DE (100% against 0%)")
    assert "finds nothing" not in said, "that is what they were chosen by"
    assert f"{component} timeout" not in said
    assert explain(but(state, labels={**labels, "placement": "cart"}), START) == ""


def test_a_source_that_fails_is_not_told_to_find_nothing(db: Database) -> None:
    """Of three ways to bring nothing: a failure, a count alone, an empty list."""
    at = START * 1_000
    ways: tuple[dict[str, Any], ...] = (
        {"status": "timeout", "items": []},
        {"n_out": 0},
        {"items": []},
        {"items": ["a"]},
    )
    for number, fields in enumerate(ways):
        bodies = [
            raw(f"r{number}", "request", ts=at),
            raw(f"r{number}", "retrieval", "ann", ts=at, **fields),
            raw(f"r{number}", "response", ts=at, items=["a"]),
        ]
        db.land([part(event(body, at + n) for n, body in enumerate(bodies))])
    db.seal.seal(START)
    store = ClickHouseAlerts(db.client, db.name)
    (calls,) = [each for each in store.trends.components(START - 60, START, START, START) if each.component == "ann"]
    assert (calls.calls, calls.failed, calls.zero_out) == (4, 1, 2)
    bad = WrongCalls("zero_out", "retrieval", "ann")
    now = datetime.fromtimestamp(START + WINDOW_S, UTC)
    times = Times.ending(now, timedelta(seconds=WINDOW_S), timedelta(seconds=WINDOW_S))
    asked = Different(Reader(db.client, db.name, db.journey), db.name, times, bad, Within("home"))
    assert asked.counts() == (2, 2)


# Weeks


def remembered(db: Database, weeks: int, *, pages: bool = True) -> Bench:
    """Five minutes as usual, and hours as usual in so many weeks before."""
    bench = Bench(db, pages=pages)
    bench.traffic.mixed(*USUAL)
    bench.traffic.remember(400, weeks)
    bench.traffic.repeat(29)
    return bench


USUAL = [Crowd(96, Wrong(empty=1 / 96)), Crowd(20, placement="cart")]
FEW = [Crowd(48), Crowd(20, placement="cart")]


def test_traffic_that_is_unusual_for_the_time_of_the_week_is_a_ticket_and_ends(db: Database) -> None:
    bench = remembered(db, 4)
    bench.flow(14, *FEW)
    assert bench.told == []
    bench.flow(2, *FEW)
    name = "TrafficUnusual placement=home"
    assert bench.told == [(name, "firing")]
    assert bench.changes[0].state.annotations["summary"] == (
        "home got 1,440 requests in five minutes; at this time of the week 2,880 are usual (the median of 4 weeks)."
    )
    bench.flow(14, *USUAL)
    assert bench.told == [(name, "firing"), (name, "resolved")]


@pytest.mark.long  # tests/unit/test_alert_weeks.py has it, without ClickHouse
def test_with_too_few_weeks_nothing_is_said(db: Database) -> None:
    bench = remembered(db, 2)
    bench.flow(20, *FEW)
    assert (bench.told, bench.active()) == ([], [])


def test_no_request_of_anybody_is_unusual(db: Database) -> None:
    bench = remembered(db, 3, pages=False)
    bench.tick()
    bench.traffic.flow(1, rate=0)
    bench.traffic.repeat(89)
    bench.tick()
    assert bench.told == [(f"TrafficUnusual placement={placement}", "firing") for placement in ("cart", "home")]


def test_a_slot_counts_where_all_of_it_is_known(db: Database) -> None:
    bench = remembered(db, 2)
    last = START + 290
    found = {(week.weeks, week.placement): week.counts for week in bench.store.trends.weeks(last, 5)}
    assert found == {(weeks, place): counts for weeks in (0, 1, 2) for place, counts in (
        ("cart", (600, 600, 0, 0, 0, 0)), ("home", (2_880, 2_880, 30, 30, 0, 0))
    )}  # fmt: skip
    week_ago = last - 7 * 86_400
    db.client.command(f"DELETE FROM {db.name}.sealed WHERE toUnixTimestamp(window) = {week_ago}")
    assert {week.weeks for week in bench.store.trends.weeks(last, 5)} == {0, 2}
    assert {week.weeks for week in bench.store.trends.weeks(last + 10, 5)} == {2}  # the next window is not sealed yet
