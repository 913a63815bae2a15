"""What every sink does, the one in memory and ClickHouse."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from rectrace.local.clickhouse import start_clickhouse
from schemas.errors import Invalid, Unavailable
from schemas.exact import exact
from schemas.parts import CatalogRow, Claim, DeadLetter, Event, InteractionRow, Part
from sinks.clickhouse.client import SKIPPED, connect
from sinks.memory import Key, MemorySink
from streams.ports import Sink
from tests.support.database import Database
from tests.support.events import event, part, raw

AT = int(time.time()) * 1000 + 456  # what is older than its retention would be gone at once


class Bench(Protocol):
    """A sink, and what its readers see."""

    @property
    def sink(self) -> Sink: ...

    def merged(self) -> dict[str, dict[Key, int]]: ...

    def dead_letters(self) -> list[DeadLetter]: ...

    def interactions(self) -> list[InteractionRow]: ...

    def catalog(self) -> dict[str, CatalogRow]: ...

    def landed_until(self) -> dict[tuple[str, int], int]: ...


class InMemory:
    def __init__(self) -> None:
        self.sink = MemorySink(refuse=_refusal)
        self.merged = self.sink.merged
        self.dead_letters = self.sink.dead_letters
        self.interactions = self.sink.interactions
        self.catalog = self.sink.catalog
        self.landed_until = self.sink.landed_until


def _refusal(of: Event) -> str | None:
    try:
        exact(of.raw)
    except Invalid as invalid:
        return invalid.reason
    return None


class OnClickHouse:
    def __init__(self, database: Database) -> None:
        self.sink = database.sink
        self._database = database

    def merged(self) -> dict[str, dict[Key, int]]:
        rows = self._database.rows(
            "SELECT request_id, s.stage, s.component, s.attempt, s.hash, min(toUnixTimestamp64Milli(s.record_at)) "
            "FROM $database.landing ARRAY JOIN stages AS s GROUP BY ALL"
        )
        found: dict[str, dict[Key, int]] = {}
        for request_id, *key, record_at in rows:
            found.setdefault(request_id, {})[Key(*key)] = record_at
        return found

    def dead_letters(self) -> list[DeadLetter]:
        names = "topic, partition, offset, toUnixTimestamp64Milli(record_at), key, raw, reason, field, message"
        result = self._database.client.query(
            f"SELECT {names}, component, request_id FROM {self._database.name}.dead_letters FINAL "
            "ORDER BY topic, partition, offset, record_at",
            column_formats={"key": "bytes", "raw": "bytes"},
        )
        return [DeadLetter(*row) for row in result.result_rows]

    def interactions(self) -> list[InteractionRow]:
        rows = self._database.rows(
            "SELECT request_id, item, kind, toUnixTimestamp64Milli(ts), position, value, "
            "toUnixTimestamp64Milli(record_at) FROM $database.interactions FINAL ORDER BY request_id, item, kind, ts"
        )
        return [InteractionRow(*row) for row in rows]

    def catalog(self) -> dict[str, CatalogRow]:
        rows = self._database.rows(
            "SELECT item, toUnixTimestamp64Milli(record_at), deleted, title, brand, category, price, available, "
            "toUnixTimestamp64Milli(created_at), image_url, attributes FROM $database.catalog FINAL "
            "ORDER BY record_at DESC LIMIT 1 BY item"
        )
        return {row[0]: CatalogRow(*row) for row in rows}

    def landed_until(self) -> dict[tuple[str, int], int]:
        return self._database.seal.landed_until()


@pytest.fixture
def db(clickhouse: str, database: str) -> Iterator[Database]:
    with connect(clickhouse) as client:
        yield Database.create(client, database)


@pytest.fixture(params=["memory", "clickhouse"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return InMemory() if request.param == "memory" else OnClickHouse(request.getfixturevalue("db"))


def events_of(request_id: str, *, bad: Sequence[str] = ()) -> list[Event]:
    """A request of three events; those of the components in `bad` break the contract in their arrays only, where the
    optimistic path does not look."""
    made = []
    for offset, (stage, component) in enumerate((("request", "api"), ("scoring", "ranker"), ("response", "api"))):
        items = b"[null]" if component in bad else b'["a",2]'
        body = raw(request_id, stage, component, ts=AT, items=["ITEMS"]).replace(b'["ITEMS"]', items)
        made.append(event(body, AT + offset, offset=offset + 10 * int(request_id[1:])))
    return made


def keys(events: Sequence[Event]) -> dict[Key, int]:
    return {Key(e.envelope.stage, e.envelope.component, e.envelope.attempt or 0, e.hash): e.record_at for e in events}


def letter(offset: int, data: bytes = b"{", record_at: int = AT, **fields: str) -> DeadLetter:
    named = {"reason": "malformed_json", "field": "$", "message": "not JSON"} | fields
    return DeadLetter("rectrace.stages", 3, offset, record_at, b"key", data, **named)


# Landing


def test_landing_twice_changes_nothing(bench: Bench) -> None:
    parts = [part(events_of("r1")), part(events_of("r2"))]
    for _ in range(2):
        assert bench.sink.land(parts) == []
    assert bench.merged() == {of.request_id: keys(of.events) for of in parts}


def test_landing_nothing_is_nothing(bench: Bench) -> None:
    assert bench.sink.land([]) == []
    bench.sink.write_dead_letters([])
    bench.sink.write_interactions([])
    bench.sink.write_catalog([])
    bench.sink.write_progress([])
    assert bench.merged() == {}


def test_parts_of_a_request_are_one(bench: Bench) -> None:
    events = events_of("r1")
    assert bench.sink.land([part(events[:2]), part(events[1:])]) == []
    assert bench.sink.land([part(events[2:])]) == []
    assert bench.merged() == {"r1": keys(events)}


def test_exactly_the_bad_events_come_back_and_the_rest_is_in(bench: Bench) -> None:
    requests = {f"r{n}": events_of(f"r{n}", bad=["ranker"] if n % 5 == 0 else []) for n in range(1, 21)}
    letters = bench.sink.land([part(events) for events in requests.values()])
    bad = [e for events in requests.values() for e in events if b"null" in e.raw]
    assert [(each.offset, each.raw, each.reason) for each in letters] == [
        (each.offset, each.raw, "wrong_type") for each in bad
    ]
    assert {(each.component, each.request_id) for each in letters} == {("ranker", f"r{n}") for n in (5, 10, 15, 20)}
    assert bench.merged() == {
        request_id: keys([e for e in events if e not in bad]) for request_id, events in requests.items()
    }


def test_a_part_of_bad_events_only_leaves_nothing(bench: Bench) -> None:
    events = events_of("r1", bad=["api", "ranker"])
    assert len(bench.sink.land([part(events)])) == 3
    assert bench.merged() == {}


# The others


def test_dead_letters_twice_are_one_each(bench: Bench) -> None:
    letters = [letter(1), letter(2, record_at=AT + 1), letter(2)]
    for _ in range(2):
        bench.sink.write_dead_letters(letters)
    assert bench.dead_letters() == [letters[0], letters[2], letters[1]]


def test_dead_letters_are_kept_to_the_byte(bench: Bench) -> None:
    every = [bytes(range(256)), b"", b"\xff\xfe\x00", "é😀".encode(), b"'\\\"\n\t" * 1000, b"\xed\xa0\x80"]
    letters = [
        DeadLetter("t", 0, offset, AT, data, data, "invalid_utf8", "$", "m", "c", "r")
        for offset, data in enumerate(every)
    ]
    bench.sink.write_dead_letters(letters)
    assert bench.dead_letters() == letters


def test_interactions_twice_are_one_each(bench: Bench) -> None:
    rows = [
        InteractionRow("r1", "a", "click", AT, None, None, AT + 5),
        InteractionRow("r1", "a", "click", AT + 1, 4_294_967_295, -1.5e300, AT + 5),
        InteractionRow("r1", "a", "purchase", AT, 1, 0.1, AT + 5),
        InteractionRow("r\x00'\\", "é😀", "click", AT, 1, None, AT + 5),
    ]
    for _ in range(2):
        bench.sink.write_interactions(rows)
    assert bench.interactions() == sorted(rows, key=lambda row: (row.request_id, row.item, row.kind, row.ts))


def test_of_a_catalogue_record_the_newest_state_counts_in_whatever_order(bench: Bench) -> None:
    full = CatalogRow(
        "a", AT + 2, False, "Title 'x'", "brand", "shoes", 12.5, False, 1_600_000_000_001, "http://x/y.png",
        {"color": "red", "ü": ""},
    )  # fmt: skip
    rows = [full, CatalogRow("a", AT), CatalogRow("b", AT), CatalogRow("b", AT + 1, deleted=True)]
    for _ in range(2):
        bench.sink.write_catalog(rows)
    assert bench.catalog() == {"a": full, "b": rows[3]}


def test_of_claims_the_highest_counts(bench: Bench) -> None:
    claims = [Claim("t", 0, AT + 10), Claim("t", 1, AT), Claim("t", 0, AT), Claim("u", 0, 5)]
    bench.sink.write_progress(claims)
    bench.sink.write_progress([Claim("t", 1, AT - 1)])
    assert bench.landed_until() == {("t", 0): AT + 10, ("t", 1): AT, ("u", 0): 5}


# Away


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Sink:
    """A sink on a server that has stopped since."""
    directory: Path = tmp_path_factory.mktemp("stopped")
    with start_clickhouse(0, directory / "data", directory) as server:
        return Database.create(connect(server.url), "rectrace").sink


@pytest.fixture(params=["memory", "clickhouse"])
def away(request: pytest.FixtureRequest) -> Sink:
    if request.param == "clickhouse":
        sink: Sink = request.getfixturevalue("stopped")
        return sink
    memory = MemorySink()
    memory.available = False
    return memory


def test_every_call_says_so_when_the_server_is_away(away: Sink) -> None:
    calls = (
        lambda: away.land([part(events_of("r1"))]),
        lambda: away.write_dead_letters([letter(1)]),
        lambda: away.write_interactions([InteractionRow("r", "a", "click", AT, None, None, AT)]),
        lambda: away.write_catalog([CatalogRow("a", AT)]),
        lambda: away.write_progress([Claim("t", 0, AT)]),
    )
    for call in calls:
        with pytest.raises(Unavailable):
            call()


# ClickHouse alone


def test_a_refused_event_names_its_field(db: Database) -> None:
    events = events_of("r1", bad=["ranker"])
    (refused,) = db.sink.land([part(events)])
    assert (refused.reason, refused.field) == ("wrong_type", "$.items[0]")


def test_what_only_clickhouse_refuses_is_found_in_its_part(db: Database) -> None:
    """The contract takes these events: whatever ClickHouse has against them, the others land."""
    db.client.command(f"ALTER TABLE {db.name}.landing ADD CONSTRAINT cursed CHECK NOT has(stages.component, 'ranker')")
    requests = [events_of(f"r{n}") for n in range(1, 6)]
    letters = db.sink.land([part(events) for events in requests])
    assert [(each.reason, each.component, each.request_id) for each in letters] == [
        ("refused", "ranker", f"r{n}") for n in range(1, 6)
    ]
    assert "cursed" in letters[0].message
    assert OnClickHouse(db).merged() == {f"r{n}": keys([requests[n - 1][0], requests[n - 1][2]]) for n in range(1, 6)}


def test_times_of_any_day_do_not_stop_a_batch(db: Database) -> None:
    """More partitions than ClickHouse lets an insert make by default."""
    day, year = 86_400_000, 365 * 86_400_000
    rows = [InteractionRow("r", "a", "click", AT + n * year, None, None, AT) for n in range(150)]
    db.sink.write_interactions(rows)
    assert db.rows("SELECT count() > 0 FROM $database.interactions FINAL WHERE ts < now()") == [(True,)]
    db.sink.write_dead_letters([letter(n, record_at=n * day) for n in range(150)])
    assert db.rows("SELECT count() FROM $database.dead_letters FINAL") == [(150,)]


@pytest.mark.parametrize("record_at", [-1, 0, 1, pytest.param(AT, id="now"), 10**15, 2**62])
def test_a_dead_letter_of_any_record_time_is_kept(db: Database, record_at: int) -> None:
    for _ in range(2):
        db.sink.write_dead_letters([letter(1, record_at=record_at)])
    db.client.command(f"OPTIMIZE TABLE {db.name}.dead_letters FINAL")
    (found,) = OnClickHouse(db).dead_letters()
    assert found.record_at == min(max(record_at, 0), 10_413_791_999_999)


def test_record_times_keep_their_milliseconds(db: Database) -> None:
    db.sink.write_dead_letters([letter(n, record_at=AT + n) for n in range(1000)])
    assert [found.record_at for found in OnClickHouse(db).dead_letters()] == [AT + n for n in range(1000)]


def test_a_message_that_quotes_no_unicode_is_kept(db: Database) -> None:
    db.sink.write_dead_letters([letter(1, message="not a name: \ud800", field="$.\udfff")])
    (found,) = OnClickHouse(db).dead_letters()
    assert (found.message, found.field) == ("not a name: ?", "$.?")


def test_large_parts_land_whole(db: Database) -> None:
    items = [f"sku{n:07}" for n in range(100_000)]
    body = raw("r1", "scoring", ts=AT, items=items, scores=[n / 8 for n in range(100_000)])
    assert db.sink.land([Part("r1", [event(body, AT)], "evicted", [], [])]) == []
    found = db.rows(
        "SELECT length(stages[1].items), stages[1].items[100000], stages[1].scores[-1] FROM $database.landing"
    )
    assert found == [(100_000, "sku0099999", 12499.875)]


def test_a_client_does_without_the_rewrites_that_cost_more_than_they_gain(clickhouse: str) -> None:
    with connect(clickhouse) as client:
        asked = ", ".join(f"toUInt8(getSetting('{name}'))" for name in SKIPPED)
        assert client.query(f"SELECT {asked}").result_rows == [(0,) * len(SKIPPED)]
