"""The demo's publisher where it is stopped while Kafka makes it wait: it counts what it sent, once."""

import asyncio
from typing import Any

from rectrace.demo.publisher import Publisher, Status
from rectrace.demo.traffic import Traffic
from rectrace.demo.world import World


class Waiting:
    """A producer that has no room for the first message of each run until it is let."""

    def __init__(self) -> None:
        self.sent: list[bytes | None] = []
        self.asked = asyncio.Event()
        self.room = asyncio.Event()

    async def send(self, topic: str, value: bytes | None, *, key: bytes | None) -> "asyncio.Future[object]":
        self.asked.set()
        await self.room.wait()
        self.sent.append(value)
        acknowledged: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(None)
        return acknowledged

    async def flush(self) -> None:
        pass


async def _stop_while_it_waits(world: World) -> tuple[Status, int]:
    told: list[Status] = []
    producer: Any = Waiting()
    stop = asyncio.Event()
    publisher = Publisher(Traffic(world, 5.0, 1_000.0), producer, told.append, clock=lambda: 1_001.0)
    running = asyncio.create_task(publisher.run(stop))
    await producer.asked.wait()
    stop.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    producer.room.set()
    await running
    return told[-1], len(producer.sent)


def test_what_a_stop_interrupts_is_sent_in_the_end_and_counted_once(world: World) -> None:
    status, sent = asyncio.run(_stop_while_it_waits(world))
    assert sent > 0
    assert (status.messages, status.failed) == (sent, 0)
