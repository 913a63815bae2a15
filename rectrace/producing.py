"""Sending a few records to Kafka for a person who waits for the answer."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.errors import Unavailable
from streams.cluster import Cluster

LARGEST: Final = 1 << 30  # bytes of a record: the broker's limit counts, not ours
TIMEOUT: Final = 30.0  # seconds to wait for the broker to take a record
ANSWERS_WITHIN: Final = 10.0  # seconds for the first answer of the broker


class Outgoing(NamedTuple):
    """One record. partition: where it should go if it exists; else where its key belongs. value None: a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


def send(kafka: Cluster, records: Sequence[Outgoing]) -> list[str]:
    """Publish all, in order. Returns for each why the broker did not take it, empty if it did; raises Unavailable."""
    try:
        producer = KafkaProducer(
            **kafka.client_options(),
            acks="all",
            compression_type="lz4",
            max_request_size=LARGEST,
            bootstrap_timeout_ms=int(ANSWERS_WITHIN * 1000),
            max_block_ms=int(TIMEOUT * 1000),
        )
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {kafka}: {error}") from error
    try:
        return [_problem(outcome) for outcome in [_send(producer, record) for record in records]]
    finally:
        producer.close()


def _send(producer: KafkaProducer, record: Outgoing) -> Any:
    """A future, or the error that came at once."""
    try:
        there = producer.partitions_for(record.topic) or set()
        partition = record.partition if record.partition in there else None
        return producer.send(record.topic, record.value, record.key, headers=list(record.headers), partition=partition)
    except (KafkaError, AssertionError) as error:
        return error


def _problem(outcome: Any) -> str:
    if isinstance(outcome, Exception):
        return str(outcome)
    try:
        outcome.get(timeout=TIMEOUT)
    except KafkaError as error:
        return str(error)
    return ""
