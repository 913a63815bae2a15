"""Topics of the tests: made, read back whole, and what of them a group has committed."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from xxhash import xxh3_64_intdigest

PATIENCE = 60.0


@dataclass(frozen=True)
class Record:
    """One record as the broker gives it back. timestamp in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    broker_time: bool  # LogAppendTime
    hash: int  # of its bytes
    body: dict[str, Any]  # decoded, without padding


def create(
    kafka: str, topics: Sequence[str], partitions: int, *, broker_time: bool = True, compacted: bool = False
) -> None:
    """Create the topics and wait until they are there. Records with old times last in a compacted one only: in others
    Apache Kafka deletes them some time within five minutes."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    configs = {"message.timestamp.type": "LogAppendTime" if broker_time else "CreateTime"}
    configs |= {"cleanup.policy": "compact"} if compacted else {}
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs) for topic in topics])
    while set(topics) - set(admin.list_topics()):
        time.sleep(0.05)
    admin.close()


def partitions_of(kafka: str, topics: Sequence[str]) -> list[tuple[str, int]]:
    """All topic-partitions that there are now."""
    client = _consumer(kafka, "nobody")
    try:
        known = client.list_topics(timeout=PATIENCE).topics
        return [(topic, number) for topic in topics if topic in known for number in sorted(known[topic].partitions)]
    finally:
        client.close()


def read(kafka: str, topics: Sequence[str]) -> list[Record]:
    """Everything in the topics. Call when nobody publishes any more."""
    places = [TopicPartition(topic, number, 0) for topic, number in partitions_of(kafka, topics)]
    consumer = _consumer(kafka, "nobody")
    consumer.assign(places)
    ended: set[tuple[str, int]] = set()
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE
    while len(ended) < len(places):
        message = consumer.poll(1.0)
        assert time.monotonic() < deadline, f"read {len(records)} records, then nothing of {topics} at {kafka}"
        if message is None:
            continue
        place = (str(message.topic()), int(message.partition() or 0))
        if error := message.error():
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended.add(place)
            continue
        kind, timestamp = message.timestamp()
        value = message.value() or b""
        body = json.loads(value)
        body.pop("error", None)
        broker_time = kind == TIMESTAMP_LOG_APPEND_TIME
        records.append(
            Record(*place, int(message.offset() or 0), timestamp, broker_time, xxh3_64_intdigest(value), body)
        )
    consumer.close()
    return records


def committed(kafka: str, group: str, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The committed offset of each topic-partition; 0 where there is none."""
    consumer = _consumer(kafka, group)
    try:
        answers = consumer.committed([TopicPartition(*place) for place in places], timeout=PATIENCE)
        return {(each.topic, each.partition): max(each.offset, 0) for each in answers}
    finally:
        consumer.close()


def _consumer(kafka: str, group: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_uncommitted",  # as the worker reads
            "log_level": 0,
        }
    )
