"""Publishes the demo's traffic to Kafka in real time."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from rectrace.demo.traffic import CATALOG, INTERACTIONS, RULES, STAGES, Message, Served, Traffic

TOPICS = (STAGES, INTERACTIONS, CATALOG, RULES)
TICK = 0.002  # s: what is due within the next tick goes out now
LAST_SECONDS = 2.0  # that the last records may take
YIELD_EVERY = 64  # messages after which the producer gets a turn, also when the traffic is behind


class PublishError(Exception):
    """Publishing cannot begin: no broker, or topics are missing."""


class Status(msgspec.Struct, omit_defaults=True):
    """One line of the status: a JSON object. Counts are since the start; the served request is the latest."""

    elapsed: float  # s
    requests: int
    events: int  # stage events
    messages: int  # records on all topics
    failed: int  # records that the broker did not acknowledge
    behind: float  # s: how late the next record is
    faults: list[str]  # those that have set in
    request_id: str = ""
    user_id: str = ""
    item: str = ""  # a garment that this request dropped, for `reason`
    reason: str = ""


Report = Callable[[Status], None]


class Publisher:
    """Sends messages when they are due, by `clock` (epoch seconds), and reports once a second.

    While the broker is away it waits, and sends what has become due afterwards; what is not acknowledged within the
    producer's request timeout counts as failed.
    """

    def __init__(
        self, traffic: Traffic, producer: AIOKafkaProducer, report: Report, clock: Callable[[], float] = time.time
    ) -> None:
        self._traffic = traffic
        self._producer = producer
        self._report = report
        self._clock = clock
        self._events = 0
        self._messages = 0
        self._failed = 0
        self._next: Message | None = None
        self._asked: set[asyncio.Task[None]] = set()  # each publishes what one request from outside has to tell

    async def run(self, stop: asyncio.Event, until: float = math.inf) -> None:
        """Publish until `stop` is set or the time `until` has come, then finish the requests that have come."""
        stopped = asyncio.create_task(stop.wait())
        work = [asyncio.create_task(self._publish(until)), asyncio.create_task(self._report_each_second())]
        done, pending = await asyncio.wait([stopped, *work], return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.wait([stopped, *work])
        for task in done:
            task.result()  # raises what ended it
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._finish(), LAST_SECONDS)
        self._report(self.status())

    async def recommend(self, name: str, request_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request from outside for carousel `name`, after the time that its components take, and publish its
        events. Raises InputError."""
        traffic = self._traffic
        ask = traffic.carousels.ask(name, request_id, self._clock(), wanted)
        answer, messages = traffic.asked(ask)
        telling = asyncio.create_task(self._tell(messages))
        self._asked.add(telling)
        telling.add_done_callback(self._asked.discard)
        await asyncio.sleep(max(0.0, ask.at + answer.events[-1].ms / 1000 - self._clock()))
        return traffic.carousels.told(ask, answer)

    def status(self) -> Status:
        """What has been published by now."""
        now = self._clock()
        elapsed = now - self._traffic.start
        served = self._traffic.served or Served("", "", "", "")
        return Status(
            elapsed=round(elapsed, 3),
            requests=self._traffic.requests,
            events=self._events,
            messages=self._messages,
            failed=self._failed,
            behind=round(max(0.0, now - self._next.due), 3) if self._next else 0.0,
            faults=[fault.truth.name for fault in self._traffic.faults.active(elapsed)],
            **served._asdict(),
        )

    async def _publish(self, until: float) -> None:
        for message in self._traffic:
            self._next = message
            if message.due >= until:
                break
            if (wait := message.due - self._clock()) > TICK:
                await asyncio.sleep(wait)
            elif self._messages % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            await self._send(message)

    async def _tell(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await asyncio.sleep(max(0.0, message.due - self._clock()))
            await self._send(message)

    async def _finish(self) -> None:
        """Publish what the requests that have come still have to tell, so that their traces are whole."""
        await asyncio.gather(*self._asked)
        last = [self._next] if self._next else []
        for message in last + self._traffic.rest():
            await self._send(message)
        await self._producer.flush()

    async def _report_each_second(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._report(self.status())

    async def _send(self, message: Message) -> None:
        """A stop may interrupt it: then it has not been sent, is not counted, and is sent in the end."""
        try:
            acknowledged = await self._producer.send(message.topic, message.value, key=message.key)
        except KafkaError:
            self._failed += 1
        else:
            acknowledged.add_done_callback(self._count_failure)
        self._messages += 1
        self._events += message.topic == STAGES

    def _count_failure(self, acknowledged: "asyncio.Future[object]") -> None:
        self._failed += acknowledged.cancelled() or acknowledged.exception() is not None


@contextlib.asynccontextmanager
async def producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer; raises PublishError where no broker answers at `kafka` (host:port) or topics are missing."""
    producing = AIOKafkaProducer(bootstrap_servers=kafka, compression_type="lz4", linger_ms=20, acks=1)
    try:
        await _start(producing, kafka)
        yield producing
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(producing.stop(), LAST_SECONDS)


async def _start(producing: AIOKafkaProducer, kafka: str) -> None:
    try:
        await producing.start()
        known = (await producing.client.fetch_all_metadata()).topics()
    except (KafkaError, OSError, ValueError) as error:
        raise PublishError(f"no Kafka broker answers at {kafka} (--kafka): {error}") from None
    if missing := [topic for topic in TOPICS if topic not in known]:
        raise PublishError(f"the broker at {kafka} lacks the topics {', '.join(missing)}: run `rectrace topics`")
