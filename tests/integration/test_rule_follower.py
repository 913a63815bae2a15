"""Rules followed from a real broker, also one that is away for a while."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from rectrace.client.rule_follower import RuleFollower
from rectrace.local.broker import start_broker
from schemas.rules import Rule, encode_rule

PATIENCE = 60.0


@pytest.fixture
def topic() -> str:
    return f"rules.{uuid.uuid4().hex[:8]}"


def create(kafka: str, topic: str, partitions: int = 3) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs={"cleanup.policy": "compact"})])
    admin.close()


def rule(name: str, **more: Any) -> tuple[str, bytes]:
    fields = {"id": name, "owner": "me", "scope": "item", "message": "m", "when": "price > 5"}
    found = Rule.model_validate(fields | {"action": {"type": "boost", "delta": 0.1}} | more)
    return name, encode_rule(found)


def publish(kafka: str, topic: str, *records: tuple[str, bytes | None]) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka)
    for key, value in records:
        producer.send(topic, key=key.encode(), value=value).get(timeout=PATIENCE)
    producer.close()


def acting(follower: RuleFollower) -> dict[str, int]:
    """Id and priority."""
    return {each.id: each.priority for each in follower.book.rules}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_all_that_was_published_acts_and_what_is_published_later(broker: str, topic: str) -> None:
    create(broker, topic)
    publish(
        broker, topic, rule("a"), rule("b"), rule("a", priority=3), rule("watches", action=None), ("b", None),
        rule("c"), ("c", b"{"), rule("c", when="prise > 5"),
    )  # fmt: skip
    with RuleFollower(broker, topic) as follower:
        assert follower.wait(PATIENCE)
        assert follower.ready
        assert acting(follower) == {"a": 3, "c": 0}
        before = follower.book
        publish(broker, topic, rule("d"), ("c", None))
        until(lambda: acting(follower) == {"a": 3, "d": 0})
        assert [each.id for each in before.rules] == ["a", "c"], "a book that a request holds stays as it is"
    assert acting(follower) == {"a": 3, "d": 0}


def test_a_topic_without_rules_is_read_to_its_end(broker: str, topic: str) -> None:
    create(broker, topic)
    with RuleFollower(broker, topic) as follower:
        assert follower.wait(PATIENCE)
        assert len(follower.book) == 0


def test_a_topic_may_come_later(broker: str, topic: str) -> None:
    with RuleFollower(broker, topic) as follower:
        assert not follower.wait(0.5)
        create(broker, topic)
        publish(broker, topic, rule("a"))
        assert follower.wait(PATIENCE)
        until(lambda: acting(follower) == {"a": 0})


def test_while_the_broker_is_away_the_rules_before_act(tmp_path: Path, topic: str) -> None:
    with start_broker(0, tmp_path) as broker:
        port = int(broker.address.rpartition(":")[2])
        create(broker.address, topic, 1)
        publish(broker.address, topic, rule("a"))
        follower = RuleFollower(broker.address, topic)
        follower.start()
        assert follower.wait(PATIENCE)
    time.sleep(1.5)
    assert acting(follower) == {"a": 0}
    with start_broker(port, tmp_path) as broker:  # in memory: what it had is gone, its offsets begin again
        create(broker.address, topic, 1)
        publish(broker.address, topic, rule("a"), rule("b"))
        until(lambda: acting(follower) == {"a": 0, "b": 0})
        follower.close()


def test_no_broker_delays_nobody(topic: str) -> None:
    with RuleFollower("127.0.0.1:1", topic) as follower:
        assert not follower.wait(0.3)
        assert len(follower.book) == 0
    assert not follower.ready
