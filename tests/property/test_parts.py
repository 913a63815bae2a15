"""However the events of requests are cut into parts, and however often they land, every table says the same."""

import itertools
import time
from collections.abc import Iterator
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.parts import WINDOW_MS, Event, Part
from sinks.clickhouse.client import connect
from tests.support.database import Database
from tests.support.events import part
from tests.support.random_requests import random_events

START = int(time.time()) * 1000 // WINDOW_MS * WINDOW_MS - 3_600_000
_number = itertools.count()


@pytest.fixture(scope="module")
def pair(clickhouse: str) -> Iterator[tuple[Database, Database]]:
    """Two databases, for what must come out the same."""
    names = ("test_parts_whole", "test_parts_cut")
    with connect(clickhouse) as client:
        yield Database.create(client, names[0]), Database.create(client, names[1])
        for name in names:
            client.command(f"DROP DATABASE {name} SYNC")


def cut(rng: Random, events: list[Event]) -> Iterator[Part]:
    """Parts that together hold every event: any split, re-read tails, copies, late copies with another record time."""
    pieces: list[list[Event]] = [[] for _ in range(rng.randint(1, 4))]
    for each in events:
        rng.choice(pieces).append(each)
    if rng.random() < 0.5:
        pieces.append(events[rng.randrange(len(events)) :])
    if rng.random() < 0.3:
        again = rng.choice(events)
        pieces.append([msgspec.structs.replace(again, record_at=again.record_at + rng.choice([0, 1, 15_000]))])
    for piece in pieces:
        if piece:
            for _ in range(rng.choice([1, 1, 1, 2])):
                yield part(rng.sample(piece, len(piece)), rng.choice(["complete", "settled", "timeout", "evicted"]))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rng=st.randoms(use_true_random=False), count=st.integers(1, 12))
def test_any_parts_with_the_same_union_give_the_same_rows(
    pair: tuple[Database, Database], rng: Random, count: int
) -> None:
    whole, pieces = pair
    for database in pair:
        database.clear()
    names = [f"r{next(_number)}" for _ in range(count)]
    requests = [random_events(rng, name, START + rng.choice([0, 8_500, 9_999])) for name in names]
    whole.land(part(events) for events in requests)
    parts = [piece for events in requests for piece in cut(rng, events)]
    rng.shuffle(parts)
    first = rng.randint(0, len(parts))
    pieces.land(parts[:first])
    if rng.random() < 0.5:
        pieces.settle()
    pieces.land(parts[first:])
    for database in pair:
        database.settle()
    assert pieces.seen() == whole.seen()
