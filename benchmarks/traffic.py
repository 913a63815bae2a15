"""Requests of seven events in the order of their times, as a recommender publishes them; a topic filled with them."""

import heapq
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from confluent_kafka import Message as Delivered
from confluent_kafka import Producer
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from schemas.parts import CatalogRow

EVENTS: Final = 7
COMPONENTS: Final = ("covisit", "ann", "rules", "ranker", "mmr")  # all but request and response
# When each event is published after its request, ms: requests are open side by side, as in real traffic.
DELAYS: Final = (0, 9, 17, 24, 61, 70, 74)
CATALOGUE: Final = 20_000
SLOTS: Final = 20
_ITEMS: Final = np.array([f"sku{number:06d}" for number in range(CATALOGUE)])
BRANDS: Final = tuple(f"brand {number}" for number in range(40))
CATEGORIES: Final = tuple(f"category {number}" for number in range(20))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What to make: `traces` requests at `rate` a second, the first at `start` (epoch ms).

    candidates: as many reach scoring; a quarter more are brought by the two sources, and dropped by the filter.
    """

    traces: int
    start: int
    rate: float = 2_500.0
    candidates: int = 100
    seed: int = 1

    def messages(self) -> Iterator["Message"]:
        """All events by time; those of one request with its id as their key."""
        rng = np.random.default_rng(self.seed)
        waiting: list[Message] = []
        for number in range(self.traces):
            at = self.start + int(number * 1000 / self.rate)
            while waiting and waiting[0].at <= at:
                yield heapq.heappop(waiting)
            for message in _request(number, at, self, rng):
                heapq.heappush(waiting, message)
        while waiting:
            yield heapq.heappop(waiting)


def catalog() -> list[CatalogRow]:
    """What the items are, since long ago."""
    rng = np.random.default_rng(1)
    return [
        CatalogRow(
            str(item),
            1_600_000_000_000,
            title=f"title {number}",
            brand=BRANDS[int(rng.integers(len(BRANDS)))],
            category=CATEGORIES[int(rng.integers(len(CATEGORIES)))],
            price=float(rng.uniform(5, 300)),
            available=True,
        )
        for number, item in enumerate(_ITEMS)
    ]


class Message(NamedTuple):
    """One event. at: its time, epoch ms; number: of its request, then of itself."""

    at: int
    number: tuple[int, int]
    key: bytes
    value: bytes


class Filled(NamedTuple):
    """What a topic holds."""

    events: int
    bytes: int


def _request(number: int, at: int, traffic: Traffic, rng: np.random.Generator) -> Iterator[Message]:
    request_id = f"{traffic.seed:04x}{number:012x}"
    bodies = _bodies(traffic.candidates, rng)
    for index, (delay, (stage, component, said)) in enumerate(zip(DELAYS, bodies, strict=True)):
        when = at + delay
        event = {
            "schema_version": 1,
            "request_id": request_id,
            "ts": when,
            "stage": stage,
            "component": component,
            "version": "1.4.2",
            "attempt": 0,
            "status": "ok",
            "duration_ms": round(delay / 3, 2),
            **said,
        }
        yield Message(when, (number, index), request_id.encode(), orjson.dumps(event))


def _bodies(candidates: int, rng: np.random.Generator) -> list[tuple[str, str, dict[str, Any]]]:
    """What each stage says. Two sources that share a sixth of their items, in order of rank."""
    brought = max(candidates * 5 // 4, 1)
    numbers = rng.integers(0, CATALOGUE, brought + brought // 10)
    merged: list[str] = list(dict.fromkeys(_ITEMS[numbers].tolist()))[:brought]
    half = len(merged) * 7 // 12
    first, second = merged[:half], merged[-half:]
    dropped, kept = merged[: len(merged) - candidates], merged[-candidates:]
    scores = _scores(len(kept), rng)
    ordered = [item for _, item in sorted(zip(scores, kept, strict=True), reverse=True)][:SLOTS]
    stock = len(dropped) * 3 // 5
    request = {
        "user_id": f"u{int(rng.integers(50_000))}",
        "placement": "home",
        "k": SLOTS,
        "segments": {
            "country": ("DE", "US", "FR", "JP")[int(rng.integers(4))],
            "device": ("ios", "android", "web")[int(rng.integers(3))],
        },
        "experiments": {"rank": "ab"[int(rng.integers(2))]},
        "expects": COMPONENTS,
    }
    boost = [{"rule_id": "r17", "item": ordered[len(ordered) // 2], "action": "boost", "delta": 0.1}]
    return [
        ("request", "api", request),
        ("retrieval", "covisit", _listed(first, len(first), scores=_scores(len(first), rng))),
        ("retrieval", "ann", _listed(second, len(second), scores=_scores(len(second), rng))),
        (
            "filtering",
            "rules",
            _listed(kept, len(merged), dropped={"out_of_stock": dropped[:stock], "seen": dropped[stock:]}),
        ),
        ("scoring", "ranker", _listed(kept, len(kept), scores=scores)),
        ("ordering", "mmr", _listed(ordered, len(kept), adjustments=boost)),
        ("response", "api", _listed(ordered, len(ordered), served_by="primary")),
    ]


def _listed(items: list[str], n_in: int, **more: object) -> dict[str, Any]:
    return {"items": items, "n_in": n_in, "n_out": len(items), **more}


def _scores(count: int, rng: np.random.Generator) -> list[float]:
    scores: list[float] = rng.random(count).round(6).tolist()
    return scores


def create_topics(kafka: str, topics: dict[str, int]) -> None:
    """Create topics with so many partitions each, and wait until the broker shows them."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.split(","))
    admin.create_topics([NewTopic(name, partitions, 1) for name, partitions in topics.items()])
    while set(topics) - set(admin.list_topics()):
        time.sleep(0.05)
    admin.close()


def fill(kafka: str, topic: str, messages: Iterable[Message]) -> Filled:
    """Publish, lz4, in the order given, with the messages' own times. Raises RuntimeError when one is not taken."""
    producer = Producer(
        {
            "bootstrap.servers": kafka,
            "compression.type": "lz4",
            "linger.ms": 20,
            "partitioner": "murmur2_random",
            "enable.idempotence": False,
            "max.in.flight.requests.per.connection": 1,
            "queue.buffering.max.messages": 200_000,
        }
    )
    failed: list[object] = []

    def delivered(error: object, _: Delivered) -> None:
        if error is not None:
            failed.append(error)

    events = size = 0
    for message in messages:
        while True:
            try:
                producer.produce(topic, message.value, message.key, timestamp=message.at, on_delivery=delivered)
            except BufferError:
                producer.poll(0.1)
                continue
            break
        producer.poll(0)
        events += 1
        size += len(message.value)
    left = producer.flush(60)
    if left or failed:
        raise RuntimeError(f"{left + len(failed)} of {events} events were not taken by {kafka}: {failed[:1]}")
    return Filled(events, size)
