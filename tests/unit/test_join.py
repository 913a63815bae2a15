"""The join of one partition number: when requests close, why, and with what."""

import json
from typing import Any

import pytest

from schemas.envelope import decode
from schemas.parts import Event
from streams.clocks import GraceClock, TopicTime
from streams.join import MAX_EVENTS, Join, Joined, JoinPolicy, Load
from streams.watermark import Watermark

T0 = 1_700_000_000_000


class Bench:
    """A join with its clock, topics and what it closed."""

    def __init__(self, policy: JoinPolicy | None = None, topics: tuple[str, ...] = ("stages",)) -> None:
        self.closed: list[Joined] = []
        self.clock = GraceClock()
        self.load = Load()
        self.join = Join(policy or JoinPolicy(), self.clock, self.load, self.closed.append)
        self.marks = {topic: Watermark(topic, 0) for topic in topics}
        self.offset = 0

    def add(self, stage: str, component: str, at: int = 0, topic: str = "stages", rid: str = "r1", **more: Any) -> bool:
        body: dict[str, Any] = {"schema_version": 1, "request_id": rid, "ts": T0, "stage": stage}
        body |= {"component": component, **more}
        if stage == "request":
            body |= {"placement": "home", "k": 10, **more}
        if stage == "response":
            body.setdefault("items", [])
        raw = json.dumps(body).encode()
        return self.add_raw(raw, at, topic)

    def add_raw(self, raw: bytes, at: int, topic: str = "stages") -> bool:
        mark, offset = self.marks[topic], self.offset
        self.offset += 1
        mark.next = offset + 1
        event = Event(decode(raw), raw, hash(raw), T0 + at, T0 + at, topic, 0, offset)
        taken = not self.join.add([event], mark, T0)
        self.clock.read([TopicTime(mark.top, drained=False, answered_at=0) for mark in self.marks.values()])
        return taken

    def pass_event_time(self, at: int) -> None:
        for mark in self.marks.values():
            mark.top = max(mark.top, T0 + at)
        self.clock.read([TopicTime(mark.top, drained=False, answered_at=0) for mark in self.marks.values()])
        self.join.expire()

    def pass_live_time(self, ms: int) -> None:
        start = self.clock.live
        answered = T0 + start
        while self.clock.live - start < ms:
            answered += 500
            self.clock.tick([TopicTime(m.top, drained=True, answered_at=answered) for m in self.marks.values()])
        self.join.expire()

    def reasons(self) -> list[str]:
        return [joined.part.closed for joined in self.closed]


EXPECTED = JoinPolicy(expected={"home": ["ann", "ranker"]})


def test_closes_at_once_when_all_that_is_expected_has_come() -> None:
    bench = Bench()
    bench.add("request", "api", expects=["ann", "ranker"])
    bench.add("retrieval", "ann")
    bench.add("response", "api")
    assert bench.closed == []
    bench.add("scoring", "ranker")
    (joined,) = bench.closed
    assert joined.part.closed == "complete"
    assert joined.part.missing == []
    assert [event.offset for event in joined.part.events] == [0, 1, 2, 3]
    assert [(span.first, span.last) for span in joined.part.spans] == [(0, 3)]
    assert len(bench.join) == 0
    assert (bench.load.open, bench.load.open_bytes) == (0, 0)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1)])
def test_any_order_completes(order: tuple[int, ...]) -> None:
    bench = Bench(EXPECTED)
    events = [("request", "api"), ("retrieval", "ann"), ("scoring", "ranker"), ("response", "api")]
    for index in order:
        bench.add(*events[index])
    assert bench.reasons() == ["complete"]


def test_the_requests_own_expectations_go_before_the_placements() -> None:
    bench = Bench(EXPECTED)
    bench.add("request", "api", expects=["ann"])
    bench.add("retrieval", "ann")
    bench.add("response", "api")
    assert bench.reasons() == ["complete"]


def test_a_stage_among_expected_components_is_met_by_any_component() -> None:
    bench = Bench()
    bench.add("request", "api", expects=["ann", "scoring"])
    bench.add("retrieval", "ann")
    bench.add("response", "api")
    assert bench.closed == []
    bench.add("scoring", "whichever")
    assert bench.reasons() == ["complete"]


def test_an_expectation_may_name_a_stage_and_its_component() -> None:
    bench = Bench()
    bench.add("request", "api", expects=["scoring/ranker", "retrieval/ann"])
    bench.add("retrieval", "ann")
    bench.add("response", "api")
    assert bench.closed == []
    bench.add("scoring", "ranker")
    assert bench.reasons() == ["complete"]


@pytest.mark.parametrize("request_first", [True, False])
def test_a_fallback_response_does_not_wait_for_what_never_ran(request_first: bool) -> None:
    bench = Bench(JoinPolicy(settle_ms=2_000))
    events: list[tuple[str, dict[str, Any]]] = [
        ("request", {"expects": ["ann", "ranker"]}),
        ("response", {"served_by": "fallback"}),
    ]
    for stage, more in events if request_first else reversed(events):
        bench.add(stage, "api", **more)
    bench.pass_event_time(1_900)
    assert bench.closed == []
    bench.pass_event_time(2_100)
    assert bench.reasons() == ["settled"]
    assert bench.closed[0].part.missing == []


def test_where_only_stages_are_expected_it_settles_after_the_response() -> None:
    bench = Bench(JoinPolicy(expected={"home": ["retrieval", "scoring"]}))
    bench.add("request", "api", 0)
    bench.add("retrieval", "ann", 10)
    bench.add("response", "api", 20)
    bench.pass_event_time(1_519)
    assert bench.closed == []
    bench.pass_event_time(1_520)
    assert bench.reasons() == ["settled"]
    assert bench.closed[0].part.missing == ["scoring"]


def test_where_nothing_is_known_it_settles_after_the_response() -> None:
    bench = Bench()
    bench.add("request", "api", 0)
    bench.add("response", "api", 20)
    bench.add("scoring", "ranker", 1_500)
    bench.pass_event_time(2_020)
    assert bench.reasons() == ["settled"]
    assert len(bench.closed[0].part.events) == 3


def test_a_response_without_a_request_settles_and_says_so() -> None:
    bench = Bench()
    bench.add("response", "api", 0)
    bench.pass_event_time(2_000)
    assert bench.reasons() == ["settled"]
    assert bench.closed[0].part.missing == ["request"]


def test_an_expected_component_that_never_comes_is_not_waited_for_after_the_response() -> None:
    bench = Bench(EXPECTED)
    bench.add("request", "api", 0)
    bench.add("response", "api", 8_000)
    bench.pass_event_time(9_499)
    assert bench.closed == []
    bench.pass_event_time(9_500)
    assert bench.reasons() == ["settled"]
    assert bench.closed[0].part.missing == ["ann", "ranker"]


def test_no_response_times_out() -> None:
    bench = Bench(EXPECTED)
    bench.add("request", "api", 0)
    bench.add("retrieval", "ann", 5)
    bench.pass_event_time(10_005)
    assert bench.reasons() == ["timeout"]
    assert bench.closed[0].part.missing == ["ranker", "response"]


def test_events_that_keep_coming_do_not_hold_it_open_for_ever() -> None:
    bench = Bench(EXPECTED)
    for at in range(0, 60_000, 5_000):
        bench.add("retrieval", f"c{at}", at)
        bench.join.expire()
    assert bench.closed == []
    bench.pass_event_time(60_000)
    assert bench.reasons() == ["timeout"]


def test_in_a_drained_partition_live_time_decides() -> None:
    bench = Bench()
    bench.add("request", "api", 0)
    bench.pass_live_time(9_500)
    assert bench.closed == []
    bench.pass_live_time(500)
    assert bench.reasons() == ["timeout"]


def test_another_topic_that_lags_holds_requests_open() -> None:
    bench = Bench(topics=("a", "b"))
    bench.add("request", "api", 0, topic="a")
    bench.add("scoring", "other", 0, topic="b", rid="r2")
    bench.add("request", "api", 50_000, topic="a", rid="r3")
    bench.join.expire()
    assert bench.closed == []
    bench.add("scoring", "ranker", 9_000, topic="b")
    bench.add("scoring", "other", 50_000, topic="b", rid="r4")
    bench.join.expire()
    (one, two) = sorted(bench.closed, key=lambda joined: joined.part.request_id)
    assert {event.envelope.stage for event in one.part.events} == {"request", "scoring"}
    assert {span.topic for span in one.part.spans} == {"a", "b"}
    assert two.part.request_id == "r2"


def test_a_producer_an_hour_behind_splits_nothing() -> None:
    bench = Bench(EXPECTED)
    bench.add("request", "api", 3_600_000)
    bench.add("retrieval", "ann", 100)  # its clock is an hour behind
    bench.add("scoring", "ranker", 3_600_100)
    bench.join.expire()
    assert bench.closed == []
    bench.add("response", "api", 3_600_200)
    assert bench.reasons() == ["complete"]


def test_exact_copies_are_counted_and_the_lowest_record_time_kept() -> None:
    bench = Bench(EXPECTED)
    for at in (300, 100, 200):
        bench.add("request", "api", at)
    bench.pass_event_time(20_000)
    (event,) = bench.closed[0].part.events
    assert event.record_at == T0 + 100
    assert event.offset == 1
    assert bench.load.duplicates == 2
    assert bench.closed[0].holds[0].low == T0 + 100


def test_different_events_of_one_identity_both_travel() -> None:
    bench = Bench()
    bench.add("request", "api", 0)
    bench.add("scoring", "ranker", 1, n_out=1)
    bench.add("scoring", "ranker", 2, n_out=2)
    bench.add("response", "api", 3)
    bench.pass_event_time(2_003)
    assert [event.envelope.n_out for event in bench.closed[0].part.events] == [None, 1, 2, None]
    assert bench.load.duplicates == 0


def test_a_request_takes_so_many_different_events_and_no_more() -> None:
    bench = Bench()
    for number in range(MAX_EVENTS):
        assert bench.add("scoring", f"c{number}")
    assert not bench.add("scoring", "one-more")
    assert bench.add("scoring", "c0"), "a copy of one that is in is no more"
    assert bench.load.duplicates == 1


def test_a_request_takes_so_many_bytes_and_no_more() -> None:
    bench = Bench()
    assert bench.add("scoring", "a", error="x" * 7_000_000)
    assert not bench.add("scoring", "b", error="x" * 2_000_000)
    assert bench.add("scoring", "c")


def test_late_events_make_one_more_part_however_many_they_are() -> None:
    bench = Bench(JoinPolicy(expected={"home": ["ann"]}))
    bench.add("request", "api", 0)
    bench.add("retrieval", "ann", 1)
    bench.add("response", "api", 2)
    for number in range(1_000):
        bench.add("scoring", "slow", 10 + number, n_out=number % 100)
        bench.join.expire()
    assert bench.reasons() == ["complete"]
    bench.pass_event_time(10 + 999 + 2_000)
    assert bench.reasons() == ["complete", "settled"]
    late = bench.closed[1]
    assert late.late
    assert late.part.missing == []
    assert len(late.part.events) == 100
    assert bench.load.late == 1_000


@pytest.mark.parametrize(
    ("at", "ts", "far"),
    [(1_000, T0, False), (60_000, T0, False), (60_001, T0, True), (1_000, T0 + 3_600_000, False)],
)
def test_a_request_event_published_long_after_its_time_may_be_a_copy(at: int, ts: int, far: bool) -> None:
    bench = Bench()
    bench.add("request", "api", at=at, ts=ts)
    bench.pass_event_time(at + 60_000)
    assert [joined.part.flagged for joined in bench.closed] == [far]


def test_a_late_part_may_be_far_from_its_request_if_it_has_one_of_its_own() -> None:
    bench = Bench()
    for at in (0, 40_000):
        for stage in ("request", "response"):
            bench.add(stage, "api", at=at, version=str(at))
        bench.pass_event_time(at + 20_000)
        bench.add("scoring", "ranker", at=at + 20_000)
        bench.pass_event_time(at + 40_000)
    assert [(len(joined.part.events), joined.part.flagged) for joined in bench.closed] == [
        (2, False),
        (1, False),  # its request is looked for anyway
        (2, True),
        (1, False),
    ]


def test_an_endless_stream_of_late_events_closes_at_max_wait() -> None:
    bench = Bench(JoinPolicy(expected={"home": ["api"]}))
    bench.add("request", "api", 0)
    bench.add("response", "api", 0)
    for at in range(1_000, 62_000, 1_000):
        bench.add("scoring", "slow", at, n_out=at)
        bench.join.expire()
    assert bench.reasons() == ["complete", "timeout"]


def test_closed_ids_are_forgotten_in_the_end() -> None:
    bench = Bench(JoinPolicy(recent=10, expected={"home": ["api"]}))
    for number in range(12):
        bench.add("request", "api", 0, rid=f"r{number}")
        bench.add("response", "api", 0, rid=f"r{number}")
    bench.add("scoring", "slow", 0, rid="r0")
    assert bench.load.late == 0
    bench.add("scoring", "slow", 0, rid="r11")
    assert bench.load.late == 1


def test_eviction_closes_the_oldest() -> None:
    bench = Bench()
    for number in range(3):
        bench.add("request", "api", 0, rid=f"r{number}")
    bench.join.evict(next(bench.join.oldest_first()))
    assert [(joined.part.request_id, joined.part.closed) for joined in bench.closed] == [("r0", "evicted")]
    assert bench.load.open == 2
