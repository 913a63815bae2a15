"""Kafka's metadata and topics, through its admin protocol."""

import time
from collections.abc import Sequence
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from rectrace.kafka_cluster import cluster
from rectrace.settings import Settings
from schemas.errors import Unavailable
from streams.cluster import Cluster

TIMEOUT_MS: Final = 10_000
APPEAR_WITHIN: Final = 30.0  # seconds from a topic's creation to its metadata


class Partitions:
    """The topic-partitions of the stages topics that exist now, from Kafka's metadata."""

    def __init__(self, kafka: Cluster, topics: Sequence[str]) -> None:
        self._kafka = kafka
        self._topics = topics
        self._admin: KafkaAdminClient | None = None

    def __call__(self) -> list[tuple[str, int]]:
        """Ask the broker. Raises Unavailable when it does not answer."""
        try:
            self._admin = self._admin or connect(self._kafka)
            described = self._admin.describe_topics(list(self._topics))
        except (KafkaError, OSError) as error:
            if self._admin is not None:
                self._admin.close()
                self._admin = None
            raise Unavailable(f"asking Kafka at {self._kafka} for its partitions: {error}") from error
        return [
            (str(topic["name"]), int(partition["partition_index"]))
            for topic in described
            for partition in topic.get("partitions") or ()
        ]


def connect(kafka: Cluster, timeout_ms: int = TIMEOUT_MS) -> KafkaAdminClient:
    """An admin client. Raises KafkaError or OSError where no broker answers."""
    admin = KafkaAdminClient.__new__(KafkaAdminClient)
    try:
        admin.__init__(
            **kafka.client_options(),
            client_id="rectrace",
            request_timeout_ms=timeout_ms,
            bootstrap_timeout_ms=timeout_ms,
        )
    except BaseException:
        admin._closed = False  # what failed half-way would keep its thread and its sockets: an hour of that is a leak
        admin.close()
        raise
    return admin


def create_topics(settings: Settings, partitions: int, replication: int = 1) -> list[str]:
    """Create what is missing; returns the names. Stage events and interactions get the broker's time.

    Raises Unavailable where the broker cannot.
    """
    by_broker = {"message.timestamp.type": "LogAppendTime"}
    configs: dict[str, dict[str, str]] = {
        **dict.fromkeys(settings.topics.stages, by_broker),
        settings.topics.interactions: by_broker,
        settings.topics.catalog: {"cleanup.policy": "compact"},
        settings.topics.rules: {"cleanup.policy": "compact"} | by_broker,
    }
    try:
        admin = connect(cluster(settings))
        try:
            missing = sorted(set(configs) - set(admin.list_topics()))
            _create(admin, [NewTopic(name, partitions, replication, topic_configs=configs[name]) for name in missing])
            _wait_for(admin, set(configs))
        finally:
            admin.close()
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {settings.kafka}: {error}") from error
    return missing


def partition_counts(settings: Settings) -> dict[str, int]:
    """How many partitions each topic of the settings has, of those that are there. Raises Unavailable."""
    topics = settings.topics
    try:
        admin = connect(cluster(settings))
        try:
            described = admin.describe_topics([*topics.stages, topics.interactions, topics.catalog, topics.rules])
        finally:
            admin.close()
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {settings.kafka}: {error}") from error
    return {str(topic["name"]): len(topic.get("partitions") or ()) for topic in described}


def _create(admin: KafkaAdminClient, topics: Sequence[NewTopic]) -> None:
    try:
        if topics:
            admin.create_topics(list(topics))
    except TopicAlreadyExistsError:  # another process was as quick
        pass


def _wait_for(admin: KafkaAdminClient, topics: set[str]) -> None:
    deadline = time.monotonic() + APPEAR_WITHIN
    while missing := topics - set(admin.list_topics()):
        if time.monotonic() > deadline:
            raise KafkaError(f"created, and still unknown after {APPEAR_WITHIN:.0f} s: {', '.join(sorted(missing))}")
        time.sleep(0.05)
