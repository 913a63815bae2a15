"""Dead letters, end to end: the limit that stops a worker, and sending them again once the cause is mended."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from sinks.clickhouse.journey import Journey
from tests.support.database import Database
from tests.support.service import QUICK, Service, eventually

WINDOW = 10
ALLOWED = 256  # events of one request


def event(stage: str, /, **fields: Any) -> bytes:
    body = {"schema_version": 1, "request_id": "big", "ts": time.time_ns() // 1_000_000, "stage": stage}
    return json.dumps(body | {"component": "ann", "items": ["a"]} | fields).encode()


@pytest.fixture
def service(broker: str, clickhouse: str, tmp_path: Path) -> Iterator[Service]:
    with Service(broker, clickhouse, tmp_path, settings={"RECTRACE_DEAD_LETTERS__MAX_COUNT": "100"}) as made:
        yield made


def letters(service: Service) -> dict[tuple[int, int], int]:
    """How often each partition and offset of the stages topic is a dead letter."""
    found = service.rows("SELECT partition, offset, count() FROM $database.dead_letters GROUP BY partition, offset")
    return {(partition, offset): count for partition, offset, count in found}


def committed(service: Service) -> dict[int, int]:
    """By partition of the stages topic."""
    admin = KafkaAdminClient(bootstrap_servers=service.kafka)
    try:
        offsets = admin.list_group_offsets(service.name)[service.name]
        return {tp.partition: at.offset for tp, at in offsets.items() if tp.topic == service.stages}
    finally:
        admin.close()


def test_only_dead_letters_stop_the_worker_and_nothing_unwritten_is_committed(service: Service) -> None:
    bad = event("scoring", ts="2026-06-01T12:00:00", component="ranker")
    service.start_ready()
    for number in range(60):
        service.publish(service.stages, bad, partition=number % 2)
    eventually(lambda: len(letters(service)) == 60, lambda: f"60 dead letters, of which {len(letters(service))}")
    for number in range(200):
        service.publish(service.stages, bad, partition=number % 2)
    assert service.wait_exit() == 1
    assert "Traceback" not in service.log
    stopped = next(line for line in service.log.splitlines() if "stopped:" in line)
    for told in (
        "records are dead letters, over the limit of 100",
        "wrong_value, field $.ts, component ranker",
        "RECTRACE_DEAD_LETTERS__MAX_COUNT",
    ):
        assert told in stopped
    written = letters(service)
    unwritten = [
        (partition, offset)
        for partition, next_offset in committed(service).items()
        for offset in range(next_offset)
        if (partition, offset) not in written
    ]
    assert not unwritten

    again = service.start(RECTRACE_DEAD_LETTERS__MAX_COUNT="100000")
    eventually(lambda: len(letters(service)) == 260, lambda: f"260 dead letters, of which {len(letters(service))}")
    assert set(letters(service).values()) == {1}
    assert again.exit_code is None


def test_replayed_events_join_their_request_however_long_ago_and_as_often_as_they_come(service: Service) -> None:
    """A request had more events than are held at once: what was refused then is taken later, as late parts."""
    database = Database(service.client, service.name, Journey(near_s=int(QUICK["RECTRACE_JOIN__MAX_WAIT"]) + WINDOW))
    long_ago = time.time_ns() // 1_000_000 - 600_000
    sent = 300
    service.start_ready()
    service.publish(
        service.stages, event("request", component="c0", placement="home", k=3), key=b"someone", at=long_ago
    )
    for number in range(1, sent):
        service.publish(service.stages, event("scoring", component=f"c{number}"), key=b"someone", at=long_ago)
    bad = service.publish(service.stages, event("scoring", ts=5, error="x" * 2_000_000), key=b"someone")
    eventually(lambda: len(letters(service)) == sent - ALLOWED + 1, lambda: f"letters: {letters(service)}")
    eventually(lambda: stages(service) == ALLOWED, lambda: f"{ALLOWED} events landed, of which {stages(service)}")

    assert service.ask("dlq", "replay", "--dry-run") == "would send 45 dead letters\n"
    assert "sent 44 dead letters" in service.ask("dlq", "replay", "--reason", "request_too_large")
    eventually(lambda: stages(service) == sent, lambda: f"{sent} events after the replay, of which {stages(service)}")
    assert len(json.loads(service.ask("why", "big", "--json"))["stages"]) == sent
    assert "sent 1 dead letter\n" in service.ask("dlq", "replay", "--reason", "wrong_value")
    eventually(lambda: len(letters(service)) == sent - ALLOWED + 2, lambda: f"one letter more: {letters(service)}")
    replayed = max(offset for partition, offset in letters(service) if partition == bad.partition)
    assert letters(service)[bad.partition, replayed] == 1

    assert service.stop() == 0
    database.settle()
    home = database.rows("SELECT toUnixTimestamp(window), length(stages) FROM $database.traces")
    assert home == [(long_ago // 1000 // WINDOW * WINDOW, sent)]
    first = database.seen()

    told = service.ask("dlq", "replay")
    assert "sent 45 dead letters; 1 more with the same bytes" in told
    service.start_ready()
    eventually(lambda: len(letters(service)) == sent - ALLOWED + 3, lambda: f"one letter more: {letters(service)}")
    landed = "SELECT sum(length(stages)) FROM $database.landing"
    eventually(lambda: database.rows(landed)[0][0] >= sent + 44, lambda: f"{database.rows(landed)} stages landed")
    assert service.stop() == 0
    database.settle()
    assert database.seen() == first


def stages(service: Service) -> int:
    """How many of the request's events have landed."""
    count = "SELECT uniqExact(arrayJoin(stages.component)) FROM $database.landing WHERE request_id = 'big'"
    return int(service.rows(count)[0][0])
