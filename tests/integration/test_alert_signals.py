"""From rows in ClickHouse to alerts: landed, sealed and evaluated by the real statements."""

import time
from collections.abc import Iterator, Sequence

import pytest
from prometheus_client import CollectorRegistry

from schemas.alerts import Change
from schemas.parts import DeadLetter
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from streams.alerts.engine import Engine
from streams.alerts.signals import BuiltIn
from streams.alerts.thresholds import Thresholds
from streams.metrics import Metrics
from tests.support.alert_store import MemoryNotifier
from tests.support.alert_traffic import HEALTHY, Traffic, Wrong, requests
from tests.support.database import Database
from tests.support.events import TOPIC

HISTORY = 40  # windows: more than a comparison needs


class Bench:
    """Traffic of the last minutes, evaluated as if each window had been sealed 15 s after its end."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = ClickHouseAlerts(database.client, database.name)
        self.traffic = Traffic(database, int(time.time()) // 10 * 10 - 1800)
        self.receiver = MemoryNotifier()
        self.engine = self.make()

    def make(self, thresholds: Thresholds | None = None) -> Engine:
        known = thresholds or Thresholds()
        source = BuiltIn(self.store, known)
        metrics = Metrics(CollectorRegistry())
        return Engine(self.store, [source], {"am": self.receiver}, known, metrics)

    def flow(self, windows: int, wrong: Wrong = HEALTHY, **options: object) -> None:
        """So many windows alike: one lands and is sealed, the others are copies of its counts."""
        for number in range(windows):
            if number:
                self.traffic.repeat(1)
            else:
                self.traffic.flow(1, wrong, **options)  # type: ignore[arg-type]
            self.receiver.now = self.traffic.window + 15.0
            self.engine.tick(self.receiver.now)

    @property
    def changes(self) -> Sequence[Change]:
        return [change for each in self.store.changed("sealed", 0, 1000) for change in each.changes]

    @property
    def told(self) -> list[str]:
        """Alerts that somebody was told of."""
        return [change.state.name for change in self.changes if change.told and change.status == "firing"]

    @property
    def ended(self) -> list[str]:
        return [change.state.name for change in self.changes if change.told and change.status == "resolved"]


@pytest.fixture
def bench(clickhouse: str, database: str) -> Iterator[Bench]:
    with connect(clickhouse) as client:
        yield Bench(Database.create(client, database))


def test_counts_are_those_of_the_windows(bench: Bench) -> None:
    start = bench.traffic.window
    bench.traffic.flow(2, Wrong(ann_empty=0.5, ranker_timeout=0.25, empty=0.1), rate=20)
    bench.traffic.flow(1, incomplete=True)
    bench.traffic.flow(1, rate=0)
    bench.database.sink.write_dead_letters(
        [DeadLetter(TOPIC, 0, n, start * 1000 + n, b"", b"{}", "malformed_json", "$", "no", "ranker") for n in range(3)]
    )
    counts = bench.store.counts(start, start + 30)
    assert counts.windows == [start, start + 10, start + 30]
    (home, _) = sorted(counts.placements)
    assert home == (start, "home", 20, 20, 2, 2, 5, 0)
    stages = {(each.window, each.component): each for each in counts.stages}
    assert stages[start, "ann"][1:7] == ("home", "retrieval", "ann", 20, 0, 10)
    assert stages[start + 10, "ranker"][4:] == (20, 5, 5, 20 * 3 + 10 * 3, 15 * 3)  # given: popular, and half of ann
    assert stages[start, "ann"][7:] == (0, 10 * 3)
    assert counts.letters == [(start, "ranker", 3)]
    total = {each.window: each for each in counts.latencies if not each.stage}
    assert total[start].p95 == pytest.approx(40)
    assert (total[start].n, total[start + 10].n) == (20, 40)
    assert {each.component for each in counts.latencies} == {"", "ann", "popular", "ranker", "api"}


def test_what_is_sealed_again_is_read_again(bench: Bench) -> None:
    start = bench.traffic.window
    bench.traffic.flow(2, rate=20)
    assert [each.requests for each in bench.store.counts(start, start + 10).placements] == [20, 20]
    bench.database.land(requests(start, 30, HEALTHY, "cart"))
    bench.database.seal.seal(start)
    found = {(each.window, each.placement): each.requests for each in bench.store.counts(start, start + 10).placements}
    assert found == {(start, "home"): 20, (start, "cart"): 30, (start + 10, "home"): 20}
    anew = ClickHouseAlerts(bench.database.client, bench.database.name).counts(start, start + 10)
    assert sorted(bench.store.counts(start, start + 10).stages) == sorted(anew.stages)


def test_where_nothing_has_come_whole_for_longer_than_a_day_ingest_lags_by_a_day(bench: Bench) -> None:
    start = bench.traffic.window
    columns = "window, run, tail, rows, requests, incomplete"
    for at, incomplete, newest in (
        (start, False, start),
        (start + 3_600, True, start),
        (start + 3 * 86_400, True, start + 2 * 86_400),
    ):
        values = f"SELECT toDateTime({at}, 'UTC'), 1, 1, 1, 1, {incomplete}"
        bench.database.client.command(f"INSERT INTO {bench.database.name}.sealed ({columns}) {values}")
        assert bench.store.newest_complete() == newest


def test_quiet_traffic_says_nothing(bench: Bench) -> None:
    bench.flow(8)
    assert bench.changes == []
    latest = bench.store.latest("sealed")
    assert latest is not None
    assert (latest.window, latest.states) == (bench.traffic.window - 10, [])


def test_a_dead_source_is_named_with_examples_and_ends(bench: Bench) -> None:
    bench.flow(3)
    began = bench.traffic.window
    bench.flow(3, Wrong(ann_empty=1.0))
    name = "SourceEmpty placement=home stage=retrieval component=ann"
    assert bench.told == [name]
    state = bench.changes[0].state
    assert state.began == began
    assert state.annotations["summary"] == (
        "The source ann at home returns nothing in 100% of its calls (60 of 60; allowed are 50%)."
    )
    assert len(state.examples) == 5
    assert all(example.startswith("home-") for example in state.examples)
    bench.flow(3)
    assert bench.ended == [name]


def test_a_cause_says_its_symptoms(bench: Bench) -> None:
    bench.flow(2)
    bench.flow(4, Wrong(ranker_timeout=0.6))
    assert bench.told == ["StageFailing placement=home stage=scoring component=ranker"]
    latest = bench.store.latest("sealed")
    assert latest is not None
    by_name = {state.alert: state for state in latest.states}
    assert "FallbackResponses placement=home" in by_name["StageFailing"].also
    assert by_name["FallbackResponses"].inhibited_by == "StageFailing placement=home stage=scoring component=ranker"
    assert by_name["FallbackResponses"].examples != []


def test_what_is_compared_with_the_time_before(bench: Bench) -> None:
    bench.traffic.flow(1)
    bench.traffic.repeat(HISTORY)
    bench.flow(2)
    assert bench.changes == []
    bench.flow(3, Wrong(ann_silent=1.0, slow_ms=300))
    assert bench.told == ["ComponentSilent placement=home stage=retrieval component=ann"]
    silent = next(change.state for change in bench.changes if change.state.alert == "ComponentSilent")
    assert "has stopped sending: 0 events, of 60 expected" in silent.annotations["summary"]
    assert silent.also == ["LatencyShift placement=home"]


def test_traffic_that_stays_away_is_a_page_and_nothing_else_is_judged(bench: Bench) -> None:
    bench.traffic.flow(1)
    bench.traffic.repeat(HISTORY)
    bench.flow(2)
    bench.flow(5, rate=0)
    assert bench.told == ["TrafficCollapse placement=home"]
    bench.flow(6)
    assert bench.ended == ["TrafficCollapse placement=home"]


def test_without_history_a_start_is_quiet(bench: Bench) -> None:
    bench.flow(5)
    bench.flow(5, Wrong(ann_silent=1.0, slow_ms=300))
    assert [name.split()[0] for name in bench.told] == ["IncompleteTraces"]  # that one knows what was expected


def test_thin_traffic_is_pooled(bench: Bench) -> None:
    bench.flow(8, rate=10)
    bench.flow(4, Wrong(empty=1.0), rate=10)
    assert [name.split()[0] for name in bench.told] == ["EmptyResponses"]


def test_thresholds_of_a_placement(bench: Bench) -> None:
    content = {"EmptyResponses": {"placements": {"home": {"threshold": 0.65}}}, "ShortResponses": {"enabled": False}}
    bench.engine = bench.make(Thresholds("file", content))
    bench.flow(4, Wrong(empty=0.6))
    assert bench.told == []
    bench.flow(3, Wrong(empty=0.9))
    assert bench.told == ["EmptyResponses placement=home"]


def test_dead_letters_of_a_component(bench: Bench) -> None:
    for number in range(4):
        at = bench.traffic.window * 1000 + 100
        bench.database.sink.write_dead_letters(
            [
                DeadLetter(TOPIC, 0, 100 * number + n, at + n, b"", b"{}", "wrong_type", "$", "no", "ranker")
                for n in range(9)
            ]
        )
        bench.flow(1)
    assert bench.told == ["DeadLetters component=ranker"]
