"""Before a worker starts: wait for the broker, and refuse topics that it could not join over."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.cluster import Cluster
from streams.unreachable import why

log = logging.getLogger(__name__)

RETRY: Final = 1.0  # seconds
REMIND: Final = 15.0


class BadTopics(Exception):  # noqa: N818
    """The topics are not as they must be: starting again does not help, exit code 2."""


async def wait_for_topics(kafka: Cluster, stages: Sequence[str], others: Sequence[str]) -> dict[str, int]:
    """Partition counts of all topics, as soon as the broker answers. Raises `BadTopics`."""
    started, reminded = time.monotonic(), float("-inf")
    while True:
        try:
            counts = await asyncio.wait_for(_partition_counts(kafka), 15)
        except (KafkaError, OSError, TimeoutError) as error:
            now = time.monotonic()
            if now - reminded >= REMIND:
                reminded = now
                log.warning("%s Trying again, for %.0f s now.", await _trouble(kafka, error), now - started)
            await asyncio.sleep(RETRY)
            continue
        if reminded >= started:
            log.warning("the broker at %s answers, after %.0f s", kafka, time.monotonic() - started)
        check_topics(kafka.brokers, counts, stages, others)
        return {topic: counts[topic] for topic in (*stages, *others)}


async def _trouble(kafka: Cluster, error: Exception) -> str:
    if cause := await why(kafka):
        return f"cannot use Kafka: {cause}."
    return f"no Kafka broker answers at {kafka} ({error or type(error).__name__}): is the address right?"


def check_topics(brokers: str, counts: Mapping[str, int], stages: Sequence[str], others: Sequence[str]) -> None:
    """Every topic exists; the stages topics have equal partition counts. Raises `BadTopics`."""
    if missing := [topic for topic in (*stages, *others) if topic not in counts]:
        raise BadTopics(
            f"the broker at {brokers} has no topic {', '.join(missing)}: create what is missing with "
            f"`rectrace topics`, or correct the topic names in the settings"
        )
    if len({counts[topic] for topic in stages}) > 1:
        listed = ", ".join(f"{topic} has {counts[topic]}" for topic in stages)
        raise BadTopics(
            f"the stages topics have unequal partition counts: {listed}. A request's events must share one partition "
            f"number over all of them, so give them equal counts"
        )


async def _partition_counts(kafka: Cluster) -> dict[str, int]:
    admin = AIOKafkaAdminClient(**kafka.client_options(), request_timeout_ms=10_000)
    await admin.start()
    try:
        return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    finally:
        await admin.close()
