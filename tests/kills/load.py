"""Publishes planned traffic in real time, on a thread, and remembers what the broker acknowledged."""

import threading
import time
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from confluent_kafka import KafkaError, Message, Producer
from xxhash import xxh3_64_intdigest

from tests.kills.traffic import Planned, Shape, plan


class Load(threading.Thread):
    """`start()` it; `stop()` ends it early; `finish()` waits for the end and raises when something was not published.

    partitions: publish into the first so many alone, and leave the others idle. None: wherever the key belongs.
    """

    def __init__(
        self, kafka: str, topics: Sequence[str], shape: Shape, seed: int, partitions: int | None = None
    ) -> None:
        super().__init__(name="load", daemon=True)
        self.acknowledged: list[int] = []  # hashes of values, each at least once in the topics
        self.bytes = 0  # acknowledged
        self.failures: list[str] = []
        self._topics = topics
        self._shape = shape
        self._seed = seed
        self._partitions = partitions
        self._halt = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "partitioner": "murmur2_random",  # as Java's and aiokafka's: a request keeps one partition number
                "linger.ms": 5,
                "message.timeout.ms": 120_000,
                "topic.metadata.refresh.interval.ms": 1_000,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        began = time.time()
        for event in plan(self._shape, self._seed, began):
            while (ahead := began + event.at - time.time()) > 0 and not self._halt.is_set():
                self._producer.poll(min(ahead, 0.05))
            if self._halt.is_set():
                break
            self._publish(event)
        self._producer.flush(120)

    def stop(self) -> None:
        """Publish no more."""
        self._halt.set()

    def finish(self) -> None:
        self.join(self._shape.seconds + self._shape.very_late_after * 2 + 150)
        assert not self.is_alive(), "the load did not end"
        assert not self.failures, f"{len(self.failures)} events could not be published: {self.failures[0]}"

    def _publish(self, event: Planned) -> None:
        value = _padded(event.value, self._shape.padding)

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self.acknowledged.append(xxh3_64_intdigest(value))
                self.bytes += len(value)
            else:
                self.failures.append(str(error))

        place: dict[str, Any] = {"topic": event.topic(self._topics), "key": event.request_id}
        if self._partitions:
            place["partition"] = crc32(event.request_id.encode()) % self._partitions
        while True:
            try:
                self._producer.produce(**place, value=value, on_delivery=delivered)
            except BufferError:
                self._producer.poll(0.05)
            else:
                break
        self._producer.poll(0)


def _padded(value: bytes, padding: int) -> bytes:
    """The same event with so many bytes more in its error text."""
    return b'%s, "error": "%s"}' % (value[:-1], b"x" * padding) if padding else value
