"""Apache Kafka from Maven's jars: records survive a kill and a clean restart."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from rectrace.local.errors import LocalError
from rectrace.local.kafka_jars import cache_dir, missing
from rectrace.local.kafka_jvm import ApacheKafka

PATIENCE = 60.0


def create(address: str, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic(topic, num_partitions=-1, replication_factor=1)])
    admin.close()


def produce(address: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": address, "acks": "all", "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=1)
    assert producer.flush(PATIENCE) == 0


def consume(address: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "g", "log_level": 0})
    consumer.assign([TopicPartition(topic, 1, 0)])
    values: list[bytes] = []
    while len(values) < count:
        message = consumer.poll(PATIENCE)
        assert message is not None, f"only {len(values)} of {count} records"
        assert message.error() is None
        values.append(message.value() or b"")
    consumer.close()
    return values


@pytest.mark.needs("kafka")
def test_shared_broker_takes_records(apache_kafka: ApacheKafka) -> None:
    create(apache_kafka.address, "shared")
    produce(apache_kafka.address, "shared", [b"a"])
    assert consume(apache_kafka.address, "shared", 1) == [b"a"]


@pytest.mark.long  # the kill schedules on Apache Kafka need it, too
@pytest.mark.needs("kafka")
def test_records_survive_kill_and_restart(tmp_path: Path) -> None:
    with ApacheKafka(tmp_path, partitions=2) as kafka:
        address = kafka.address
        create(address, "events")
        produce(address, "events", [b"1", b"2"])
        kafka.kill()
        kafka.start()
        assert kafka.address == address
        produce(address, "events", [b"3"])
        kafka.terminate()
        kafka.start()
        assert consume(address, "events", 3) == [b"1", b"2", b"3"]
        described = Producer({"bootstrap.servers": address}).list_topics("events", timeout=PATIENCE)
        assert len(described.topics["events"].partitions) == 2


@pytest.mark.needs("kafka")
def test_a_broker_that_cannot_start_quotes_its_log(tmp_path: Path) -> None:
    with ApacheKafka(tmp_path) as kafka:
        kafka.terminate()
        properties = tmp_path / "server.properties"
        properties.write_text(properties.read_text().replace("node.id=1", "node.id=none"))
        with pytest.raises(LocalError, match=r"(?s)ended with exit code 1.*kafka\.log.*Invalid value none"):
            kafka.start()


def test_what_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "install Java 17" in (missing() or "")
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    assert "`java` is 11" in (missing() or "")
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\" 2023-10-17' >&2\n")
    assert "install Maven" in (missing() or "")
    cache_dir().mkdir(parents=True)
    assert missing() is None
    told = "case $1 in -version) echo 'version \"21\"' ;; *) echo $* no such option; exit 2 ;; esac"
    java.write_text(f"#!/bin/sh\n{told} >&2\n")
    with pytest.raises(LocalError, match=r"(?s)could not format .*StorageTool.*no such option"):
        ApacheKafka(tmp_path / "data").__enter__()
