"""The sealer's ticks against a store in memory."""

import pytest
from prometheus_client import CollectorRegistry

from schemas.errors import Unavailable
from streams.metrics import Metrics
from streams.ports import TopicPartition
from streams.sealer import LOOK_EVERY_S, MOST_A_TICK, Sealer
from streams.windows import Windows
from tests.support.seal_store import MemorySealStore

A: TopicPartition = ("rectrace.stages", 0)
B: TopicPartition = ("rectrace.stages", 1)
T = 1_700_000_000
DAY = 86_400


class Bench:
    """A sealer with a clock that the test moves."""

    def __init__(self) -> None:
        self.store = MemorySealStore(now=T)
        self.registry = CollectorRegistry()
        self.partitions: list[TopicPartition] = [A]
        self.now = float(T)
        self.sealer = Sealer(
            store=self.store,
            policy=Windows(patience=300, horizon=2 * DAY),
            partitions=lambda: self.partitions,
            metrics=Metrics(self.registry),
            monotonic=lambda: self.now,
        )

    def land(self, window: int, rows: int = 1) -> None:
        self.store.rows[window] = self.store.rows.get(window, 0) + rows

    def tick(self, after: float = 1.0) -> int:
        self.now += after
        self.store.now = self.now
        return self.sealer.tick(self.now)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def seals(bench: Bench) -> list[str]:
    return [call for call in bench.store.calls if call.startswith(("seal", "empty"))]


def test_a_window_is_sealed_once_all_partitions_have_landed_past_it(bench: Bench) -> None:
    bench.partitions = [A, B]
    bench.land(T)
    bench.store.claims = {A: (T + 10) * 1000}
    assert bench.tick() == 0
    bench.store.claims[B] = (T + 10) * 1000
    assert bench.tick() == 1
    assert bench.tick() == 0
    assert seals(bench) == [f"seal {T}"]


def test_a_claim_of_a_deleted_partition_counts_for_nothing(bench: Bench) -> None:
    bench.land(T)
    bench.store.claims = {A: (T + 10) * 1000, B: T * 1000}
    assert bench.tick() == 1


def test_empty_windows_are_sealed_in_their_turn_so_that_nobody_ever_sees_a_hole(bench: Bench) -> None:
    for window in (T, T + 30):
        bench.land(window)
    bench.store.claims = {A: (T + 60) * 1000}
    bench.tick()
    assert seals(bench) == [f"seal {T}", f"empty {T + 10}..{T + 20}", f"seal {T + 30}", f"empty {T + 40}..{T + 50}"]


def test_a_failure_leaves_no_hole(bench: Bench) -> None:
    for window in (T, T + 20, T + 40):
        bench.land(window)
    bench.store.claims = {A: (T + 60) * 1000}
    bench.store.broken = {T + 20}
    with pytest.raises(Unavailable):
        bench.tick()
    bench.store.broken = set()
    assert bench.tick(after=5) == 2
    assert sorted(bench.store.states) == list(range(T, T + 60, 10))


def test_a_window_that_cannot_be_sealed_stops_no_other_and_no_news_of_it(bench: Bench) -> None:
    bench.land(T)
    bench.land(T + 10)
    bench.store.claims = {A: (T + 20) * 1000}
    bench.store.broken = {T}
    with pytest.raises(Unavailable, match="memory limit"):
        bench.tick()
    assert bench.tick() == 1
    assert bench.metric("rectrace_seals_total", outcome="abandoned") == 1
    assert bench.metric("rectrace_seals_total", outcome="sealed") == 1
    assert bench.metric("rectrace_sealed_until_seconds") == T  # not further than the window that is missing
    bench.store.broken = set()
    bench.tick(after=5)
    assert bench.metric("rectrace_sealed_until_seconds") == T + 20


def test_a_backlog_is_sealed_in_bounded_ticks_without_waiting_for_the_next_full_look(bench: Bench) -> None:
    start = T - 5 * DAY  # older than the horizon
    for number in range(MOST_A_TICK + 10):
        bench.land(start + number * 10)
    bench.store.claims = {A: T * 1000}
    assert bench.tick() == MOST_A_TICK
    assert bench.metric("rectrace_sealed_until_seconds") == start + MOST_A_TICK * 10
    assert bench.tick() == 10
    assert bench.store.looked_from == [0, 0]
    assert bench.tick(after=LOOK_EVERY_S) == 0
    assert bench.store.looked_from[-1] == T - 900 + 2 + LOOK_EVERY_S


def test_it_looks_at_once_when_a_window_has_come_to_its_end_and_else_now_and_then(bench: Bench) -> None:
    bench.land(T)
    bench.store.claims = {A: (T + 9) * 1000}
    for _ in range(4):
        bench.tick()
    assert len(bench.store.looked_from) == 1
    bench.store.claims = {A: (T + 10) * 1000}
    assert bench.tick() == 1
    bench.land(T)  # late: due again when its first seal is twenty seconds old
    assert [bench.tick() for _ in range(25)].count(1) == 1
    assert len(bench.store.looked_from) == 2 + 25 // LOOK_EVERY_S


def test_it_looks_at_everything_and_for_lost_parts_once_a_minute(bench: Bench) -> None:
    for _ in range(120):
        bench.tick()
    assert bench.store.calls.count("sweep 0") == 2
    assert bench.store.looked_from.count(0) == 2


def test_it_cleans_within_the_horizon_every_ten_minutes(bench: Bench) -> None:
    for _ in range(20):
        bench.tick(after=60)
    cleaned = [call for call in bench.store.calls if call.startswith("clean")]
    assert cleaned == [f"clean {(T + at - 2 * DAY) // 10 * 10}" for at in (60, 660)]


def test_a_partition_left_out_is_told_and_sealed_again(bench: Bench) -> None:
    bench.partitions = [A, B]
    bench.land(T)
    for second in range(1, 320):
        bench.store.claims = {A: (T + 10 + second) * 1000, B: T * 1000}
        bench.tick()
    assert seals(bench) == [f"seal {T} incomplete"]
    assert bench.metric("rectrace_seals_total", outcome="incomplete") == 1
    bench.store.claims[B] = (T + 10) * 1000
    bench.tick()
    assert seals(bench)[-1] == f"seal {T}"


def test_dirty_windows_and_orphans_are_told(bench: Bench) -> None:
    bench.land(T)
    bench.store.claims = {A: (T + 10) * 1000}
    bench.tick()
    bench.land(T)
    assert bench.tick(after=LOOK_EVERY_S) == 0
    assert bench.metric("rectrace_dirty_windows") == 1
    assert bench.metric("rectrace_orphans") == 2
    assert bench.tick(after=20) == 1
    bench.tick(after=LOOK_EVERY_S)
    assert bench.metric("rectrace_dirty_windows") == 0


def test_a_sealer_whose_clock_is_an_hour_back_seals_the_same(bench: Bench) -> None:
    bench.land(T)
    bench.store.claims = {A: (T + 10) * 1000}
    assert bench.sealer.tick(T - 3600) == 1


def test_a_broker_that_is_away_is_told(bench: Bench) -> None:
    def away() -> list[TopicPartition]:
        raise Unavailable("asking Kafka")

    bench.sealer.partitions = away
    with pytest.raises(Unavailable, match="Kafka"):
        bench.tick()
    assert bench.store.calls == ["sweep 0"]
