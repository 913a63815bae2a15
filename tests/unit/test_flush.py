"""The flush: its order, its patience, and what a crash or a rebalance in the middle of it does."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from schemas.parts import Event
from sinks.memory import MemorySink
from streams.flush import Flusher
from streams.join import JoinPolicy
from streams.limit import DeadLetterPolicy, TooManyDeadLetters
from streams.metrics import Metrics
from streams.pipeline import Decoders, Pipeline, PipelinePolicy
from streams.watermark import TopicPartition

NOW = 1_700_000_000_000
STAGES = TopicPartition("rectrace.stages", 0)


class Rec(NamedTuple):
    offset: int
    value: bytes | None
    timestamp: int = NOW
    timestamp_type: int = 1
    key: bytes | None = b"item"
    headers: Sequence[tuple[str, bytes]] = ()


def request(rid: str, first: int) -> list[Rec]:
    body = {
        "schema_version": 1,
        "request_id": rid,
        "ts": NOW,
        "component": "api",
        "items": [],
        "k": 1,
        "placement": "home",
    }
    return [
        Rec(first + index, json.dumps(body | {"stage": stage}).encode())
        for index, stage in enumerate(("request", "response"))
    ]


class Bench:
    def __init__(self, sink: MemorySink, executor: ThreadPoolExecutor, limit: DeadLetterPolicy) -> None:
        policy = PipelinePolicy(join=JoinPolicy(expected={"home": ["api"]}), limit=limit)
        self.sink = sink
        self.pipeline = Pipeline(policy, Decoders.of_schemas(), Metrics(CollectorRegistry()))
        self.flusher = Flusher(self.pipeline, sink, executor, self._commit, first_retry=0.001)
        self.committed: list[dict[TopicPartition, int]] = []

    async def _commit(self) -> None:
        self.sink.calls.append("commit")
        self.committed.append(self.pipeline.committable())

    def value(self, name: str, **labels: str) -> float:
        return self.pipeline.metrics.registry.get_sample_value(name, labels) or 0


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def bench(executor: ThreadPoolExecutor) -> Bench:
    return Bench(MemorySink(), executor, DeadLetterPolicy())


def test_the_order_is_parts_dead_letters_rows_progress_commit(bench: Bench) -> None:
    bench.pipeline.feed(STAGES, [*request("r", 0), Rec(2, b"{")], NOW)
    interaction = {"request_id": "r", "item": "i", "kind": "click", "ts": NOW}
    bench.pipeline.feed(TopicPartition("rectrace.interactions", 0), [Rec(0, json.dumps(interaction).encode())], NOW)
    bench.pipeline.feed(TopicPartition("rectrace.catalog", 0), [Rec(0, b"{}")], NOW)
    assert asyncio.run(bench.flusher.flush(force=True))
    assert bench.sink.calls == ["land", "dead_letters", "interactions", "catalog", "progress", "commit"]
    assert bench.committed[0] == {
        STAGES: 3,
        TopicPartition("rectrace.interactions", 0): 1,
        TopicPartition("rectrace.catalog", 0): 1,
    }
    assert bench.value("rectrace_insert_seconds_count", what="parts") == 1
    assert bench.value("rectrace_batch_rows_sum") == 4


def test_nothing_to_write_calls_nothing(bench: Bench) -> None:
    assert not asyncio.run(bench.flusher.flush(force=True))
    assert bench.sink.calls == []


def test_what_landing_refuses_becomes_dead_letters_before_the_commit(bench: Bench) -> None:
    def refuse(event: Event) -> str | None:
        return "refused_by_server" if event.envelope.stage == "response" else None

    bench.sink.refuse = refuse
    bench.pipeline.feed(STAGES, request("r", 0), NOW)
    asyncio.run(bench.flusher.flush(force=True))
    assert [letter.reason for letter in bench.sink.dead_letters()] == ["refused_by_server"]
    assert [key.stage for key in bench.sink.merged()["r"]] == ["request"]
    assert bench.sink.calls == ["land", "dead_letters", "progress", "commit"]
    assert bench.value("rectrace_dead_letters_total", topic="rectrace.stages", reason="refused_by_server") == 1


def test_too_much_refused_stops_before_anything_is_acknowledged(executor: ThreadPoolExecutor) -> None:
    bench = Bench(MemorySink(lambda event: "no"), executor, DeadLetterPolicy(max_share=0, max_count=0))
    bench.pipeline.feed(STAGES, request("r", 0), NOW)
    with pytest.raises(TooManyDeadLetters):
        asyncio.run(bench.flusher.flush(force=True))
    assert bench.committed == []
    assert bench.pipeline.committable() == {}


def test_a_server_away_is_waited_for_and_said_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.sink.available = False
    bench.pipeline.feed(STAGES, request("r", 0), NOW)

    async def scenario() -> None:
        flushing = asyncio.create_task(bench.flusher.flush(force=True))
        while bench.value("rectrace_insert_failures_total", what="parts") < 5:
            await asyncio.sleep(0)
        assert bench.flusher.unavailable_since is not None
        assert bench.pipeline.committable() == {STAGES: 0}
        bench.sink.available = True
        assert await flushing

    asyncio.run(scenario())
    assert bench.committed[-1] == {STAGES: 2}
    assert bench.flusher.unavailable_since is None
    away, works_again = [record.message for record in caplog.records]
    assert away.startswith("cannot write parts: ")
    assert works_again.startswith("writing works again, after ")


def test_a_server_that_goes_away_in_the_middle_gets_the_rest_later(bench: Bench) -> None:
    land = bench.sink.land

    def land_and_go_away(parts: Sequence[object]) -> list[object]:
        refused = land(parts)  # type: ignore[arg-type]
        bench.sink.available = False
        return list(refused)

    bench.sink.land = land_and_go_away  # type: ignore[assignment, method-assign]
    bench.pipeline.feed(STAGES, request("r", 0), NOW)

    async def scenario() -> None:
        flushing = asyncio.create_task(bench.flusher.flush(force=True))
        while not bench.value("rectrace_insert_failures_total", what="progress"):
            await asyncio.sleep(0)
        assert bench.pipeline.committable() == {STAGES: 0}
        bench.sink.available = True
        await flushing

    asyncio.run(scenario())
    assert len(bench.sink.landed) == 1
    assert bench.sink.landed_until() == {STAGES: NOW}


def test_partitions_revoked_meanwhile_end_the_flush_without_a_commit(bench: Bench) -> None:
    bench.sink.available = False
    bench.pipeline.feed(STAGES, request("r", 0), NOW)

    async def scenario() -> None:
        flushing = asyncio.create_task(bench.flusher.flush(force=True))
        while not bench.value("rectrace_insert_failures_total", what="parts"):
            await asyncio.sleep(0)
        bench.pipeline.revoke()
        assert not await flushing

    asyncio.run(scenario())
    assert bench.committed == []


def test_draining_writes_all_that_is_closed(bench: Bench) -> None:
    for number in range(10):
        bench.pipeline.feed(STAGES, request(f"r{number}", 2 * number), NOW)
    asyncio.run(bench.flusher.drain())
    assert len(bench.sink.merged()) == 10
    assert bench.committed[-1] == {STAGES: 20}
