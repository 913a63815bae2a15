"""Schedules that once broke the design, each against the real SQL.

After each, every table through its views equals a seal from scratch of the union of all that landed: nothing lost,
nothing counted twice, nothing half.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from prometheus_client import CollectorRegistry

from schemas.errors import Unavailable
from schemas.parts import Claim, Event
from sinks.clickhouse.client import connect
from sinks.clickhouse.seal import RUN_TABLES, Seal
from streams.metrics import Metrics
from streams.ports import TopicPartition
from streams.sealer import Sealer
from streams.windows import Windows
from tests.support.database import Database
from tests.support.events import TOPIC, event, part, raw
from tests.support.random_requests import random_events

W = int(time.time()) // 10 * 10 - 7_200  # a window two hours ago, epoch seconds
S = 1_000
HOUR = 3_600
A, B = (TOPIC, 0), (TOPIC, 1)


class World:
    """A database under test, and another to seal the union of everything in from scratch."""

    def __init__(self, client: Client, db: Database, scratch: Database) -> None:
        self.client = client
        self.db = db
        self.scratch = scratch
        self.landed: dict[str, list[Event]] = {}

    def land(self, *events: Event) -> None:
        """One part."""
        self.db.land([part(events)])
        self.landed.setdefault(events[0].envelope.request_id, []).extend(events)

    def seal(self, *windows: int) -> None:
        for window in windows:
            self.db.seal.seal(window)

    def unsettled(self) -> list[int]:
        return [state.window for state in self.db.seal.unsettled(0)]

    def seen(self) -> dict[str, list[str]]:
        return self.db.seen()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.db.rows(query)

    def counted(self) -> list[tuple[int, int]]:
        """(window, requests) of all visible runs with any."""
        return [
            (int(window), int(requests))
            for window, requests in self.rows(
                "SELECT toUnixTimestamp(window) AS w, requests FROM $database.visible WHERE requests > 0 ORDER BY w"
            )
        ]

    def check(self, seal: Seal | None = None) -> None:
        """Settle, and compare with a seal from scratch."""
        self.db.settle(seal)
        self.scratch.clear()
        self.scratch.land(part(events) for events in self.landed.values())
        self.scratch.settle()
        assert self.seen() == self.scratch.seen()


@pytest.fixture(scope="module")
def databases(clickhouse: str) -> Iterator[tuple[Client, Database, Database]]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with connect(clickhouse) as client:
        yield client, Database.create(client, name), Database.create(client, f"{name}_scratch")
        for database in (name, f"{name}_scratch"):
            client.command(f"DROP DATABASE {database} SYNC")


@pytest.fixture
def world(databases: tuple[Client, Database, Database]) -> World:
    databases[1].clear()
    return World(*databases)


def ev(request_id: str, stage: str, component: str, at: float, **fields: Any) -> Event:
    """An event `at` seconds after the start of window W."""
    flagged = fields.pop("flagged", False)
    replayed = fields.pop("replayed", False)
    ms = int((W + at) * S)
    data = raw(request_id, stage, component, ts=ms, **fields)
    return event(data, ms, raw_record_at=1 if flagged else ms, replayed=replayed)


def request(request_id: str, at: float, **fields: Any) -> Event:
    return ev(request_id, "request", "api", at, **fields)


def retrieval(request_id: str, at: float, **fields: Any) -> Event:
    return ev(request_id, "retrieval", "ann", at, **({"items": ["a", "b", "c"]} | fields))


def scoring(request_id: str, at: float, **fields: Any) -> Event:
    return ev(request_id, "scoring", "ranker", at, **({"items": ["a", "b"], "scores": [0.5, 0.25]} | fields))


def response(request_id: str, at: float, **fields: Any) -> Event:
    return ev(request_id, "response", "api", at, **({"items": ["a"]} | fields))


def whole(request_id: str, at: float) -> list[Event]:
    return [of(request_id, at) for of in (request, retrieval, scoring, response)]


# Parts in other windows than their request


def test_request_and_response_published_last_in_the_next_window(world: World) -> None:
    world.land(retrieval("r1", 9), scoring("r1", 9.5), request("r1", 10.5), response("r1", 11))
    world.seal(W, W + 10)
    assert world.counted() == [(W + 10, 1)]
    world.check()


def test_request_and_response_in_the_next_window_after_a_crash_between(world: World) -> None:
    world.land(retrieval("r1", 9), scoring("r1", 9.5))
    world.seal(W)
    assert world.rows("SELECT sum(orphans) FROM $database.visible") == [(1,)]
    world.land(request("r1", 10.5), response("r1", 11))
    world.seal(W + 10)
    assert world.rows("SELECT length(stages) FROM $database.traces") == [(4,)]
    assert world.unsettled() == [W]  # it still tells of an orphan
    world.check()
    assert world.rows("SELECT sum(orphans) FROM $database.visible") == [(0,)]


def test_the_home_is_sealed_before_the_earlier_window_has_landed(world: World) -> None:
    world.land(request("r1", 10.5), response("r1", 11))
    world.seal(W + 10)
    world.land(retrieval("r1", 9))
    world.seal(W)
    assert world.unsettled() == [W + 10]
    world.check()
    assert world.rows("SELECT length(stages) FROM $database.traces") == [(3,)]


def test_a_late_part_makes_its_home_dirty(world: World) -> None:
    world.land(*whole("r1", 1))
    world.seal(W)
    world.land(ev("r1", "cutoff", "top_k", 50, items=["a"]))
    world.seal(W + 50)
    assert world.unsettled() == [W]
    world.check()
    assert world.rows("SELECT length(stages) FROM $database.traces") == [(5,)]


def test_a_late_part_whose_sealer_dies(world: World) -> None:
    """It looked the stray up and wrote half a run: the next one needs nobody to remember."""
    world.land(*whole("r1", 1))
    world.seal(W)
    world.land(ev("r1", "cutoff", "top_k", 50, items=["a"]))
    for dies_after in range(1, 8):
        with pytest.raises(Died):
            dying(world, dies_after).seal(W + 50)
    world.check()
    assert world.rows("SELECT length(stages) FROM $database.traces") == [(5,)]


@pytest.mark.parametrize("sweeper", ["new", "old"])
def test_a_second_late_part_in_a_window_that_has_a_stray_already(world: World, sweeper: str) -> None:
    seal = world.db.seal if sweeper == "new" else swept_before(world)
    for at in (50, HOUR):
        world.land(*whole(f"r{at}", 1))
        world.land(ev(f"r{at}", "cutoff", "top_k", at, items=["a"]))
    world.db.settle()
    for at in (50, HOUR):
        world.land(ev(f"r{at}", "reranking", "mmr", at + 1, items=["a", "b"]))
    world.check(seal)
    assert world.rows("SELECT length(stages) FROM $database.traces") == [(6,), (6,)]


def test_an_orphan_that_the_sweep_finds(world: World) -> None:
    world.land(scoring("r1", HOUR))
    world.seal(W + HOUR)
    world.land(*whole("r1", 1)[:1])
    world.seal(W)
    assert world.unsettled() == []  # too far to be seen from either window
    world.db.seal.sweep(0)
    assert world.unsettled() == [W, W + HOUR]
    world.check()
    assert world.rows("SELECT length(stages) FROM $database.traces") == [(2,)]
    assert world.rows("SELECT sum(orphans) FROM $database.visible") == [(0,)]


def test_an_orphan_of_a_request_that_never_comes(world: World) -> None:
    world.land(scoring("r1", 1))
    world.land(*whole("r2", 1))
    world.check()
    assert world.rows("SELECT request_id FROM $database.traces") == [("r2",)]
    assert world.rows("SELECT sum(orphans) FROM $database.visible") == [(1,)]


@pytest.mark.parametrize("moved", ["flagged", "replayed"])
def test_flagged_and_replayed_parts_far_away(world: World, moved: str) -> None:
    world.land(*whole("r1", 1))
    world.db.settle()
    late = {moved: True}
    world.land(request("r1", HOUR, **late), ev("r1", "cutoff", "top_k", HOUR, items=["a"], **late))
    world.check()
    assert world.counted() == [(W, 1)]


def test_a_part_whose_time_was_not_believed_the_first_time(world: World) -> None:
    """A record from an hour ahead lands under its arrival; read again an hour later, under its own time."""
    world.land(request("r1", 1, flagged=True), response("r1", 1, flagged=True))
    sealer = world.db.seal
    sealer.sweep(0)
    sealer.seal(W)
    world.land(request("r1", HOUR), response("r1", HOUR))
    sealer.sweep(0)
    assert world.unsettled() == [W, W + HOUR]
    world.check()
    assert world.counted() == [(W, 1)]


# Homes


def test_a_request_id_in_two_windows_with_two_request_events(world: World) -> None:
    world.land(*whole("r1", 1))
    world.land(request("r1", 21, user_id="later"), response("r1", 22, items=["b"]))
    world.check()
    assert world.counted() == [(W, 1)]
    assert world.rows("SELECT user_id, served FROM $database.traces") == [("", ["a"])]


def test_a_stray_whose_home_moves_to_an_earlier_window(world: World) -> None:
    world.land(request("r1", 21), retrieval("r1", 22))
    world.land(response("r1", 35))
    world.db.settle()
    assert world.counted() == [(W + 20, 1)]
    world.land(request("r1", 9), scoring("r1", 9))
    world.check()
    assert world.counted() == [(W, 1)]


def test_a_far_stray_follows_a_home_that_moves(world: World) -> None:
    """Also when no sweep looks at it again."""
    seal = swept_before(world)
    world.land(request("r1", 21), retrieval("r1", 22))
    world.land(response("r1", HOUR))
    world.db.settle()
    world.land(request("r1", 9), scoring("r1", 9))
    world.check(seal)
    assert world.counted() == [(W, 1)]
    assert world.rows("SELECT length(stages), served FROM $database.traces") == [(4, ["a"])]


def swept_before(world: World) -> Seal:
    """A sealer to which nothing that lands is new."""
    client: Any = Shifted(world.client, HOUR)
    seal = Seal(client, world.db.name, world.db.journey)
    seal.sweep(0)
    return seal


def test_a_home_that_moves_through_a_chain_of_windows(world: World) -> None:
    for at in (130, 70, 1):
        world.land(request("r1", at, user_id=f"u{at}"), ev("r1", "cutoff", f"c{at}", at, items=["a"]))
        world.db.settle()
    world.check()
    assert world.counted() == [(W, 1)]
    assert world.rows("SELECT user_id, length(stages) FROM $database.traces") == [("u1", 4)]


def test_conflicting_duplicates(world: World) -> None:
    world.land(*whole("r1", 1))
    world.land(response("r1", 1.2, items=["b"]))
    world.land(response("r1", 0.9, items=["c"]))
    world.check()
    assert world.rows("SELECT served, conflicts, has(statuses, 'conflict') FROM $database.traces") == [(["c"], 2, True)]


# Sealers that meet, die, or live in another time


class Died(Exception):  # noqa: N818
    """What `Dying` raises."""


class Dying:
    """A client of which the process dies around its n-th statement: before it is sent, or when it has been done."""

    def __init__(self, client: Client, statements: int, *, done: bool) -> None:
        self._client = client
        self._left = statements
        self._done = done
        self.asked = 0

    def command(self, text: str, **arguments: Any) -> Any:
        return self._call(self._client.command, text, **arguments)

    def query(self, text: str, **arguments: Any) -> Any:
        return self._call(self._client.query, text, **arguments)

    def _call(self, method: Callable[..., Any], text: str, **arguments: Any) -> Any:
        self.asked += 1
        self._left -= 1
        if self._left > 0:
            return method(text, **arguments)
        if self._left == 0 and self._done:
            method(text, **arguments)
        raise Died


def dying(world: World, statements: int, *, done: bool = True) -> Seal:
    client: Any = Dying(world.client, statements, done=done)
    return Seal(client, world.db.name, world.db.journey)


def statements_of_a_seal(world: World) -> int:
    counting: Any = Dying(world.client, 1_000, done=True)
    Seal(counting, world.db.name, world.db.journey).seal(W - HOUR)
    return int(counting.asked)


def test_death_after_every_statement_of_a_seal(world: World) -> None:
    """What is visible is always a whole run: the one before, or, once it is published, the new one. (Death before a
    statement leaves what death after the one before it does.)"""
    world.land(*whole("r1", 1))
    world.seal(W)
    before = world.seen()
    world.land(*whole("r2", 2))
    statements = statements_of_a_seal(world)
    assert statements > 8
    after = None
    for number in range(1, statements + 1):
        with pytest.raises(Died):
            dying(world, number, done=True).seal(W)
        now = world.seen()
        if now != before:
            assert number >= statements - 1
            after = now
            before = now
    world.check()
    assert after in (None, world.seen())
    assert world.counted() == [(W, 2)]


def test_death_at_every_statement_with_a_seal_by_another_between(world: World) -> None:
    for number in range(1, statements_of_a_seal(world) + 1):
        world.land(*whole(f"r{number}", 1))
        with pytest.raises(Died):
            dying(world, number).seal(W)
        if number % 3 == 0:
            world.seal(W)
    world.check()


class Meeting:
    """A client that something happens to before its n-th statement."""

    def __init__(self, client: Client, statements: int, happens: Callable[[], None]) -> None:
        self._client = client
        self._left = statements
        self._happens = happens

    def command(self, text: str, **arguments: Any) -> Any:
        self._meet()
        return self._client.command(text, **arguments)

    def query(self, text: str, **arguments: Any) -> Any:
        self._meet()
        return self._client.query(text, **arguments)

    def _meet(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._happens()


@pytest.mark.parametrize("sealed_by_another", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_row_that_lands_during_a_seal_at_any_statement(world: World, sealed_by_another: bool) -> None:
    """It is read, or its window is known to be dirty; a second sealer at the same time changes nothing about that."""
    statements = statements_of_a_seal(world)
    for number in range(1, statements + 1):

        def happens(number: int = number) -> None:
            world.land(*whole(f"r{number}", 1))
            if sealed_by_another:
                world.seal(W)

        client: Any = Meeting(world.client, number, happens)
        Seal(client, world.db.name, world.db.journey).seal(W)
        assert f"r{number}" in world.landed
        assert world.counted() == [(W, number)] or W in world.unsettled()
    world.check()
    assert world.counted() == [(W, statements)]


def test_a_stray_that_is_found_during_the_seal_of_its_home_at_any_statement(world: World) -> None:
    world.land(request("r1", 1))
    statements = statements_of_a_seal(world)
    for number in range(1, statements + 1):

        def happens(number: int = number) -> None:
            world.land(ev("r1", "cutoff", f"c{number}", 50, items=["a"]))
            world.seal(W + 50)

        client: Any = Meeting(world.client, number, happens)
        Seal(client, world.db.name, world.db.journey).seal(W)
        events = world.rows("SELECT length(stages) FROM $database.traces")
        assert events == [(number + 1,)] or W in world.unsettled()
    world.check()


class Shifted:
    """A client of a server whose clock is wrong by so many seconds."""

    def __init__(self, client: Client, seconds: int) -> None:
        self._client = client
        self._seconds = seconds

    def _shift(self, text: str) -> str:
        return text.replace("now64(3)", f"(now64(3) + INTERVAL {self._seconds} SECOND)")

    def command(self, text: str, **arguments: Any) -> Any:
        return self._client.command(self._shift(text), **arguments)

    def query(self, text: str, **arguments: Any) -> Any:
        return self._client.query(self._shift(text), **arguments)


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_a_clock_an_hour_wrong_hides_no_run(world: World, seconds: int) -> None:
    client: Any = Shifted(world.client, seconds)
    shifted = Seal(client, world.db.name, world.db.journey)
    for number, seal in enumerate([world.db.seal, shifted, shifted, world.db.seal], 1):
        world.land(*whole(f"r{number}", 1))
        seal.seal(W)
        assert world.counted() == [(W, number)]
    world.check()


def test_the_sealers_own_clock_an_hour_back(world: World) -> None:
    world.land(*whole("r1", 1))
    claim(world, A, W + 10)
    ticking(world, [A]).tick(time.time() - HOUR)
    assert world.counted() == [(W, 1)]
    world.check()


def test_a_sealer_that_was_stopped_too_long_publishes_nothing(world: World) -> None:
    """The cleaner may have taken half of its run."""
    world.land(*whole("r1", 1))

    class Stopped(Shifted):
        def command(self, text: str, **arguments: Any) -> Any:
            if "INSERT INTO" in text and ".stage_metrics_runs" in text:
                self._seconds = 700
                world.db.seal.clean(0, older_than_s=-60)
            return super().command(text, **arguments)

    client: Any = Stopped(world.client, 0)
    with pytest.raises(Unavailable, match="abandoned"):
        Seal(client, world.db.name, world.db.journey).seal(W)
    assert world.counted() == []
    world.check()


# What the worker's ticks do


def claim(world: World, partition: TopicPartition, until: float) -> None:
    world.db.sink.write_progress([Claim(*partition, int(until * S))])


def ticking(world: World, partitions: list[TopicPartition], minutes: Callable[[], float] | None = None) -> Sealer:
    """A sealer whose ticks are a minute apart, so that each looks at everything; or at these times."""
    ticks = count(step=60)
    return Sealer(
        store=world.db.seal,
        policy=Windows(patience=300, horizon=2 * 86_400),
        partitions=lambda: partitions,
        metrics=Metrics(CollectorRegistry()),
        monotonic=minutes or (lambda: float(next(ticks))),
    )


def sealed(world: World) -> list[int]:
    return [int(w) for (w,) in world.rows("SELECT toUnixTimestamp(window) AS w FROM $database.visible ORDER BY w")]


def test_a_backlog_older_than_the_horizon(world: World) -> None:
    old = -5 * 86_400
    for number in range(3):
        at = old + 20 * number
        world.land(request(f"r{number}", at, k=1), retrieval(f"r{number}", at), response(f"r{number}", at))
    claim(world, A, W)
    sealer = ticking(world, [A])
    sealer.tick(time.time())
    start = W + old
    assert sealed(world)[:5] == list(range(start, start + 50, 10))
    assert world.counted() == [(start + 20 * number, 1) for number in range(3)]
    for table in RUN_TABLES:
        world.client.command(f"OPTIMIZE TABLE {world.db.name}.{table} FINAL")
    world.check()


def test_a_partition_added_is_waited_for_and_a_topic_deleted_is_not(world: World) -> None:
    world.land(*whole("r1", 1))
    claim(world, A, W + 10)
    partitions = [A, B, ("deleted", 0)]
    sealer = ticking(world, partitions)
    claim(world, ("deleted", 0), W - HOUR)
    sealer.tick(time.time())
    assert sealed(world) == []
    partitions.remove(("deleted", 0))
    sealer.tick(time.time())
    assert sealed(world) == []
    claim(world, B, W + 10)
    sealer.tick(time.time())
    assert world.counted() == [(W, 1)]
    world.check()


def test_progress_that_goes_back_to_lower_claims(world: World) -> None:
    """A worker that begins again from committed offsets claims less than has landed."""
    world.land(*whole("r1", 1))
    claim(world, A, W + 10)
    claim(world, A, W - HOUR)
    ticking(world, [A]).tick(time.time())
    assert world.counted() == [(W, 1)]
    world.check()


def test_empty_windows_then_late_data(world: World) -> None:
    world.land(*whole("r0", -30))
    claim(world, A, W + 30)
    sealer = ticking(world, [A])
    sealer.tick(time.time())
    assert sealed(world) == list(range(W - 30, W + 30, 10))
    world.land(*whole("r1", 1))
    assert world.unsettled() == [W]
    assert sealer.tick(time.time()) == 0  # not at once
    assert sealer.tick(time.time() + 25) == 1
    assert world.counted() == [(W - 30, 1), (W, 1)]
    world.check()


def test_an_empty_range_sealed_twice_is_sealed_once(world: World) -> None:
    world.land(*whole("r1", 21))
    for _ in range(2):
        world.db.seal.seal_empty(W, W + 50)
    assert world.rows("SELECT count(), uniqExact(window), sum(rows) FROM $database.sealed") == [(5, 5, 0)]
    world.check()


def test_a_partition_left_out_and_sealed_again_when_it_comes(world: World) -> None:
    clock = [0.0]
    sealer = ticking(world, [A, B], lambda: clock[0])
    world.land(*whole("r1", 1))
    for second in range(0, 400, 10):
        clock[0] = float(second)
        claim(world, A, W + 20 + second)
        sealer.tick(time.time())
    assert world.rows("SELECT requests, incomplete FROM $database.visible WHERE requests > 0") == [(1, True)]
    world.land(*whole("r2", 2))
    claim(world, B, W + 20)
    clock[0] += 60
    sealer.tick(time.time())
    assert world.rows("SELECT requests, incomplete FROM $database.visible WHERE requests > 0") == [(2, False)]
    world.check()


# Runs that nobody sees any more


def test_superseded_and_abandoned_runs_are_cleaned_and_visible_ones_are_not(world: World) -> None:
    for number in range(3):
        world.land(*whole(f"r{number}", 1))
        world.seal(W)
    with pytest.raises(Died):
        dying(world, statements_of_a_seal(world) - 2).seal(W)
    seen = world.seen()
    assert runs(world) == dict.fromkeys(WRITTEN, 4)
    world.db.seal.clean(0)  # not yet: readers may still be at them
    assert runs(world) == dict.fromkeys(WRITTEN, 4)
    world.db.seal.clean(0, older_than_s=-60)
    assert runs(world) == dict.fromkeys(WRITTEN, 1)
    assert world.seen() == seen
    world.check()


def test_a_run_is_kept_until_it_has_been_superseded_for_long_enough(world: World) -> None:
    """A reader on a slow replica may not have seen the new one yet, however old the run itself is."""
    world.land(*whole("r1", 1))
    client: Any = Shifted(world.client, -HOUR)
    Seal(client, world.db.name, world.db.journey).seal(W)
    world.client.command(
        f"ALTER TABLE {world.db.name}.sealed UPDATE sealed_at = sealed_at - 3600 WHERE true SETTINGS mutations_sync = 1"
    )
    world.seal(W)
    world.db.seal.clean(0)
    assert runs(world)["traces_runs"] == 2


# Without rules nothing is written of what they find and do: tests/integration/test_rule_seal.py and
# tests/property/test_pressure.py have those. Nothing is dropped.
NOT_WRITTEN = ("violations_runs", "rule_hits_runs", "rule_pressure_runs", "drop_metrics_runs")
WRITTEN = tuple(table for table in RUN_TABLES if table not in NOT_WRITTEN)


def runs(world: World) -> dict[str, int]:
    return {table: world.rows(f"SELECT uniqExact(window, run, tail) FROM $database.{table}")[0][0] for table in WRITTEN}


# All of it at once


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 12))])
def test_any_order_of_landings_seals_deaths_and_cleanings(world: World, seed: int) -> None:
    rng = Random(seed)
    waiting = [list(pieces(rng, random_events(rng, f"r{n}", W * S + rng.randrange(40) * S))) for n in range(15)]
    parts = [piece for request_parts in waiting for piece in request_parts]
    rng.shuffle(parts)
    while parts:
        for events in parts[:10]:
            world.land(*events)
        del parts[:10]
        for _ in range(rng.randint(0, 3)):
            happens(world, rng, W + rng.randrange(5) * 10)
    world.check()


def happens(world: World, rng: Random, window: int) -> None:
    what = rng.choice(["seal", "die", "sweep", "empty", "clean"])
    if what == "seal":
        world.seal(window)
    elif what == "die":
        die(world, rng.randint(1, 14), window)
    elif what == "sweep":
        world.db.seal.sweep(0)
    elif what == "empty":
        world.db.seal.seal_empty(W - 50, W + 30)
    else:
        world.db.seal.clean(0, older_than_s=-60)


def die(world: World, statements: int, window: int) -> None:
    with suppress(Died):
        dying(world, statements).seal(window)


def pieces(rng: Random, events: list[Event]) -> Iterable[list[Event]]:
    middle = rng.randint(0, len(events))
    yield from (piece for piece in (events[:middle], events[middle:], events[rng.randrange(len(events)) :]) if piece)
