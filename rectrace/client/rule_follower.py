"""Follows the rules topic, so that what is published acts within a second, and no request waits for it.

with RuleFollower("kafka-1:9092,kafka-2:9092") as follower:
    follower.wait(10)                                      # until all that is there has been read
    applied = follower.book.apply(candidates, request)
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from rectrace.client.known_rules import KnownRules
from rectrace.client.rules import RuleBook

TOPIC: Final = "rectrace.rules"
POLL_MS: Final = 500
AGAIN_AFTER: Final = 1.0  # seconds, after what went wrong
CLOSES_WITHIN: Final = 3.0  # seconds
_OPTIONS: Final[dict[str, Any]] = {
    "client_id": "rectrace-rules",
    "auto_offset_reset": "none",  # the topic is another one now: begin again, and forget what it said
    "enable_auto_commit": False,
    "metadata_max_age_ms": 30_000,
    "retry_backoff_ms": 500,  # it logs each try
    "request_timeout_ms": 10_000,
}

log = logging.getLogger("rectrace.client")


class RuleFollower:
    """A thread that reads the rules topic from its beginning on, and keeps a compiled book of those that act.

    kafka: host:port, several separated by commas. options: of aiokafka's AIOKafkaConsumer, such as security_protocol.
    While the broker is away, and until all has been read again, the book before stays.
    """

    def __init__(self, kafka: str, topic: str = TOPIC, **options: Any) -> None:
        self._topic = topic
        self._options = {**_OPTIONS, "bootstrap_servers": kafka.split(","), **options}
        self._book = RuleBook()
        self._problem = ""  # said last
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rectrace-rules", daemon=True)

    def start(self) -> None:
        """Begin to follow, once."""
        self._thread.start()

    def __enter__(self) -> "RuleFollower":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def book(self) -> RuleBook:
        """The rules in force. Until `ready`, none."""
        return self._book

    @property
    def ready(self) -> bool:
        """Whether all that was published has been read once."""
        return self._ready.is_set()

    def wait(self, timeout: float) -> bool:
        """Wait until `ready`, at most so many seconds; whether it is."""
        return self._ready.wait(timeout)

    def close(self) -> None:
        """Stop following; the book stays."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSES_WITHIN)

    def _run(self) -> None:
        asyncio.run(self._keep_following())

    async def _keep_following(self) -> None:
        while not self._stop.is_set():
            try:
                async with self._consumer() as consumer:
                    await self._follow(consumer)
            except Exception as error:  # whatever it is, the rules before stay in force, and it is tried again
                self._say(f"{type(error).__name__}: {error}")
                await asyncio.sleep(AGAIN_AFTER)

    def _say(self, problem: str) -> None:
        if problem != self._problem:
            log.warning("cannot read rules from %s: %s; those in force stay", self._topic, problem)
        self._problem = problem

    @contextlib.asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(**self._options)
        try:
            await consumer.start()
            yield consumer
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(consumer.stop(), CLOSES_WITHIN)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        """Read until `close`, or until something is wrong; what the topic said before is forgotten."""
        places = _places(consumer, self._topic)
        if not places:
            raise LookupError(f"there is no topic {self._topic}")
        consumer.assign(places)
        await consumer.seek_to_beginning()
        known, behind = KnownRules(), set(places)
        while not self._stop.is_set():
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    known.take(record.key, record.value)
            behind = {place for place in behind if not await _at_end(consumer, place)}
            if not behind:
                self._swap(known.book())
            if _places(consumer, self._topic) not in ([], places):
                return  # it has more partitions now

    def _swap(self, book: RuleBook | None) -> None:
        if book is not None:
            self._book = book
            log.info("%d rules act", len(book))
        self._problem = ""
        self._ready.set()


async def _at_end(consumer: AIOKafkaConsumer, place: TopicPartition) -> bool:
    """Whether all is read of what was there at the last answer; `end_offsets` would be another question each time."""
    end = consumer.highwater(place)
    return end is not None and bool(await consumer.position(place) >= end)


def _places(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    return sorted(TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ())
