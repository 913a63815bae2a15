"""Any order, duplicates, cuts, crashes and re-read tails: all of it lands, and no commit passes what has not."""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from xxhash import xxh3_64_intdigest

from schemas.envelope import decode
from sinks.memory import Key, MemorySink
from streams.clocks import Position
from streams.join import JoinPolicy
from streams.limit import DeadLetterPolicy
from streams.metrics import Metrics
from streams.outbox import Batch, FlushPolicy
from streams.pipeline import Decoders, Pipeline, PipelinePolicy
from streams.watermark import TopicPartition

T0 = 1_700_000_000_000
TOPICS = ("a", "b")
COMPONENTS = (("request", "api"), ("retrieval", "ann"), ("scoring", "ranker"), ("response", "api"))


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """It warns once a worker, and there are thousands here."""
    logger = logging.getLogger("streams.pipeline")
    logger.disabled = True
    yield
    logger.disabled = False


class Rec(NamedTuple):
    offset: int
    value: bytes | None
    timestamp: int
    timestamp_type: int
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def value(rid: int, which: int, version: int) -> bytes:
    stage, component = COMPONENTS[which]
    body: dict[str, Any] = {"schema_version": 1, "request_id": f"r{rid}", "ts": T0, "stage": stage}
    body |= {"component": component, "n_out": version}
    body |= {"placement": "home", "k": 3} if stage == "request" else {}
    body |= {"items": []} if stage == "response" else {}
    return json.dumps(body).encode()


good = st.builds(value, st.integers(0, 4), st.integers(0, 3), st.integers(0, 1))
record = st.tuples(
    st.one_of(good, good, good, good, st.just(b"{"), st.none()),
    st.integers(0, 2_000),  # ms since the record before; where producers give the time, it may go back
    st.integers(1, 3),  # offset since the record before: above 1 something was compacted or a marker
)
feed = st.tuples(st.just("feed"), st.integers(0, 3), st.integers(1, 7))
tick = st.tuples(st.just("tick"), st.integers(100, 20_000), st.just(0))
flush = st.tuples(st.just("flush"), st.integers(0, 9), st.just(0))
commit = st.tuples(st.just("commit"), st.just(0), st.just(0))
lose = st.tuples(st.sampled_from(["crash", "revoke"]), st.just(0), st.just(0))
steps = st.lists(st.one_of(feed, feed, feed, feed, tick, flush, flush, commit, lose), max_size=60)
logs = st.fixed_dictionaries(
    {TopicPartition(topic, number): st.lists(record, max_size=25) for topic in TOPICS for number in (0, 1)}
)


def written(log: list[tuple[bytes | None, int, int]], created: bool, number: int) -> list[Rec]:
    """Request ids are of one partition number: that is the contract of keys."""
    records, offset, at = [], 0, T0
    for raw, passed, skipped in log:
        offset += skipped
        at = at + (passed if not created or passed % 3 else -passed)
        named = raw and raw.replace(b'"request_id": "', f'"request_id": "p{number}-'.encode())
        records.append(Rec(offset, named, at, 0 if created else 1))
    return records


@dataclass
class World:
    """A broker's log, what a group committed, and the one worker that reads."""

    log: dict[TopicPartition, list[Rec]]
    created: bool = False  # record times are the producers'
    sink: MemorySink = field(default_factory=MemorySink)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    now: int = T0 + 3_600_000

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        policy = PipelinePolicy(
            stages=TOPICS,
            join=JoinPolicy(recent=6, expected={"home": ["ann", "ranker"]}),
            flush=FlushPolicy(max_bytes=4_000),
            limit=DeadLetterPolicy(max_count=10**9),
        )
        self.worker = Pipeline(policy, Decoders.of_schemas(), Metrics(CollectorRegistry()))
        self.seek()

    def seek(self) -> None:
        self.delivered: dict[TopicPartition, int] = {}  # since the assignment
        self.read = dict.fromkeys(self.log, 0)
        for tp, records in self.log.items():
            self.read[tp] = sum(record.offset < self.committed.get(tp, 0) for record in records)

    def feed(self, index: int, count: int) -> None:
        tp = list(self.log)[index]
        run = self.log[tp][self.read[tp] : self.read[tp] + count]
        self.read[tp] += len(run)
        self.worker.feed(tp, run, self.now)
        if run:
            self.delivered[tp] = run[-1].offset + 1

    def tick(self, passed: int) -> None:
        self.now += passed
        positions = {}
        for tp, records in self.log.items():
            end = records[-1].offset + 2 if records else 0  # behind the last record there is a marker
            at_end = self.read[tp] == len(records)
            position = end if at_end else records[self.read[tp]].offset
            positions[tp] = Position(position, end, self.delivered.get(tp, 0), self.now - 10, self.now)
        self.worker.tick(self.now, positions)

    def flush(self, die_after: int) -> None:
        """Write a batch; after so many of the steps the worker dies (9: it does not)."""
        batch = self.worker.take(self.now, force=True)
        if batch is None:
            return
        for step in (self.land, self.write_letters, self.write_progress, self.worker.acknowledge, self.commit):
            if die_after == 0:
                self.start()
                return
            step(batch)
            die_after -= 1

    def land(self, batch: Batch) -> None:
        self.sink.land(batch.parts)

    def write_letters(self, batch: Batch) -> None:
        self.sink.write_dead_letters(batch.letters)

    def write_progress(self, batch: Batch) -> None:
        self.check_claims(batch)
        self.sink.write_progress(batch.claims)

    def commit(self, batch: Batch | None = None) -> None:
        offsets = self.worker.committable()
        self.check_commit(offsets)
        self.committed |= offsets

    def do(self, step: tuple[str, int, int]) -> None:
        kind, one, two = step
        if kind == "feed":
            self.feed(one, two)
        elif kind == "tick":
            self.tick(one)
        elif kind == "flush":
            self.flush(one)
        elif kind == "commit":
            self.commit()
        elif kind == "crash":
            self.start()
        else:
            self.worker.revoke()
            self.seek()
        self.check_commit(self.worker.committable())

    def finish(self) -> None:
        for index in range(len(self.log)):
            self.feed(index, 10_000)
        for _ in range(80):
            self.tick(1_000)
            self.flush(9)
        while self.worker.take(self.now, force=True):
            raise AssertionError("a batch was left")

    # --- what must hold

    def events(self, tp: TopicPartition) -> list[tuple[Rec, str, Key]]:
        found = []
        for record in self.log[tp]:
            if record.value not in (None, b"{"):
                envelope = decode(record.value)
                key = Key(envelope.stage, envelope.component, 0, xxh3_64_intdigest(record.value))
                found.append((record, envelope.request_id, key))
        return found

    def check_commit(self, offsets: dict[TopicPartition, int]) -> None:
        merged, letters = self.sink.merged(), self.sink.dead_letters()
        for tp, offset in offsets.items():
            for record, rid, key in self.events(tp):
                assert record.offset >= offset or key in merged.get(rid, {}), f"{tp} committed {offset} unlanded"
            dead = {letter.offset for letter in letters if (letter.topic, letter.partition) == tp}
            assert all(each.offset >= offset or each.offset in dead for each in self.log[tp] if each.value == b"{")

    def check_claims(self, batch: Batch) -> None:
        merged = self.sink.merged()
        for claim in batch.claims:
            assert claim.landed_until <= self.now
            tp = TopicPartition(claim.topic, claim.partition)
            # Where producers give the times, what was not read yet may be of any.
            count = self.count_read(tp) if self.created else None
            for record, rid, key in self.events(tp)[:count]:
                assert record.timestamp >= claim.landed_until or key in merged.get(rid, {})

    def count_read(self, tp: TopicPartition) -> int:
        read = {record.offset for record in self.log[tp][: self.read[tp]]}
        return sum(record.offset in read for record, _, _ in self.events(tp))

    def expected(self) -> dict[str, dict[Key, int]]:
        requests: dict[str, dict[Key, int]] = defaultdict(dict)
        for tp in self.log:
            for record, rid, key in self.events(tp):
                requests[rid][key] = min(requests[rid].get(key, record.timestamp), record.timestamp)
        return dict(requests)


@settings(max_examples=150, deadline=None)
@given(logs, steps, st.booleans())
def test_everything_lands_whatever_happens(
    log: dict[TopicPartition, list[tuple[bytes | None, int, int]]], todo: list[tuple[str, int, int]], created: bool
) -> None:
    world = World({tp: written(records, created, tp.partition) for tp, records in log.items()}, created)
    for step in todo:
        world.do(step)
    world.finish()
    assert world.sink.merged() == world.expected()
    bad = {(*tp, record.offset) for tp, records in world.log.items() for record in records if record.value == b"{"}
    assert {(letter.topic, letter.partition, letter.offset) for letter in world.sink.dead_letters()} == bad
    ends = {tp: records[-1].offset + 1 for tp, records in world.log.items() if records}
    assert {tp: world.committed[tp] for tp in ends} == ends


@settings(max_examples=100, deadline=None)
@given(st.permutations([*range(4)] * 2), st.lists(st.integers(1, 8), min_size=1, max_size=8))
def test_order_and_cuts_change_nothing_of_a_request(order: list[int], cuts: list[int]) -> None:
    records = [Rec(offset, value(0, which, 0), T0, 1) for offset, which in enumerate(order)]
    world = World({TopicPartition("a", 0): records, TopicPartition("b", 0): []})
    for cut in cuts:
        world.feed(0, cut)
        world.flush(9)
    world.finish()
    (events,) = world.sink.merged().values()
    assert {(key.stage, key.component) for key in events} == set(COMPONENTS)
    assert set(events.values()) == {T0}


def test_the_check_of_commits_can_fail() -> None:
    world = World({TopicPartition("a", 0): [Rec(0, value(0, 0, 0), T0, 1)], TopicPartition("b", 0): []})
    with pytest.raises(AssertionError, match="unlanded"):
        world.check_commit({TopicPartition("a", 0): 1})
