"""The publisher through each of the three Python Kafka clients, on a real broker."""

import asyncio
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import aiokafka
import confluent_kafka
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from rectrace.client import Publisher
from rectrace.local.broker import start_broker
from schemas.envelope import decode

Serve = Callable[[str, dict[str, str]], Publisher]


def recommend(publisher: Publisher) -> None:
    trace = publisher.request("r-1", placement="home", k=1)
    trace.retrieval("ann", ["a", "b"], scores=[0.5, 0.25])
    trace.response(["a"])
    publisher.interaction("r-1", "a", "click")
    publisher.remove_item("b")


def with_kafka_python(kafka: str, topics: dict[str, str]) -> Publisher:
    producer = KafkaProducer(bootstrap_servers=kafka)
    publisher = Publisher(lambda topic, key, value: producer.send(topic, key=key, value=value), topics=topics)
    recommend(publisher)
    producer.flush()
    producer.close()
    return publisher


def with_confluent_kafka(kafka: str, topics: dict[str, str]) -> Publisher:
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka})

    def send(topic: str, key: bytes, value: bytes | None) -> None:
        producer.produce(topic, value, key, on_delivery=publisher.on_delivery)

    publisher = Publisher(send, topics=topics)
    recommend(publisher)
    producer.flush(20)
    producer.close()
    return publisher


def with_aiokafka(kafka: str, topics: dict[str, str]) -> Publisher:
    async def serve() -> Publisher:
        async with aiokafka.AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            publisher = Publisher(
                lambda topic, key, value: producer.send_and_wait(topic, key=key, value=value), topics=topics
            )
            recommend(publisher)
            await publisher.drain()
            return publisher

    return asyncio.run(serve())


@pytest.mark.parametrize("serve", [with_kafka_python, with_confluent_kafka, with_aiokafka])
def test_a_request_arrives_whole_and_in_order(broker: str, serve: Serve) -> None:
    name = uuid.uuid4().hex[:8]
    topics = {kind: f"{name}.{kind}" for kind in ("stages", "interactions", "catalog")}
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(topic, 1, 1) for topic in topics.values()])
    admin.close()

    publisher = serve(broker, topics)

    assert (publisher.published, publisher.failed) == (5, 0)
    found = read(broker, list(topics.values()), 5)
    stages = [(key, decode(value or b"").stage) for key, value in found[topics["stages"]]]
    assert stages == [(b"r-1", "request"), (b"r-1", "retrieval"), (b"r-1", "response")]
    assert [key for key, _ in found[topics["interactions"]]] == [b"r-1"]
    assert found[topics["catalog"]] == [(b"b", None)]


def test_events_that_a_broker_never_acknowledged_are_counted(tmp_path: Path) -> None:
    with start_broker(0, tmp_path) as broker:
        producer = KafkaProducer(
            bootstrap_servers=broker.address, request_timeout_ms=1_000, delivery_timeout_ms=2_000, max_block_ms=2_000
        )
        publisher = Publisher(lambda topic, key, value: producer.send(topic, key=key, value=value))
        publisher.trace("r").response([])
        producer.flush(20)
        assert (publisher.published, publisher.failed) == (1, 0)
    publisher.trace("r").response([])
    producer.close(20)
    assert publisher.failed == 1


def read(kafka: str, topics: list[str], expected: int) -> dict[str, list[tuple[bytes, bytes | None]]]:
    """Key and value of all records by topic; waits until there are `expected`."""
    consumer = KafkaConsumer(*topics, bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    found: dict[str, list[tuple[bytes, bytes | None]]] = {topic: [] for topic in topics}
    deadline = time.monotonic() + 30
    while sum(map(len, found.values())) < expected and time.monotonic() < deadline:
        for partition, records in consumer.poll(timeout_ms=500).items():
            found[partition.topic] += [(record.key, record.value) for record in records]
    consumer.close()
    return found
