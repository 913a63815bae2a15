"""Parts that lie farther from their request than a seal looks: the sweep finds them, each new one again."""

import time
from collections.abc import Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from schemas.parts import Part
from tests.support.database import Database
from tests.support.events import event, part, raw

T0 = (int(time.time()) - 3_600) // 10 * 10_000
FAR = 600_000  # ms


@pytest.fixture
def client(clickhouse: str) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        yield client


@pytest.fixture
def tables(client: Client, database: str) -> Database:
    return Database.create(client, database)


def request(at: int, *, version: str = "", far: bool = False) -> Part:
    fields = {"version": version} if version else {}
    events = [event(raw("r", stage, ts=T0, **fields), T0 + at) for stage in ("request", "response")]
    made = part(events)
    made.far = far
    return made


def late(at: int, component: str) -> Part:
    return part([event(raw("r", "scoring", component, ts=T0), T0 + at)], "settled")


def stages(tables: Database) -> list[tuple[int, list[str]]]:
    """Of every trace that is seen: its window, and its components of scoring."""
    rows = tables.rows(
        "SELECT toUnixTimestamp(window), arrayFilter(s -> s.stage = 'scoring', stages).component FROM $database.traces"
    )
    return [(int(window), sorted(components)) for window, components in rows]


HOME = T0 // 10_000 * 10


def test_a_second_late_part_in_the_same_far_window_is_found_too(tables: Database) -> None:
    tables.land([request(0)])
    tables.settle()
    seal = tables.seal  # one sealer throughout: it does not start afresh
    for number, found in enumerate((["a"], ["a", "b"]), 1):
        tables.land([late(FAR + number, found[-1])])
        seal.sweep(0)
        for state in seal.unsettled(0):
            seal.seal(state.window)
        assert stages(tables) == [(HOME, found)]


def test_a_request_published_again_long_after_is_not_a_second_one(tables: Database) -> None:
    seal = tables.seal
    tables.land([request(0)])
    seal.sweep(0)
    tables.land([request(FAR, version="again", far=True)])
    for _ in range(2):  # sealed in its own window first, then swept
        for state in seal.unsettled(0):
            seal.seal(state.window)
        seal.sweep(0)
    for state in seal.unsettled(0):
        seal.seal(state.window)
    assert stages(tables) == [(HOME, [])]
    assert tables.rows("SELECT sum(requests), sum(conflicts) FROM $database.segment_metrics WHERE segment = ''") == [
        (1, 2)
    ]


def test_a_sweep_looks_at_what_is_new_and_at_orphans_only(tables: Database) -> None:
    tables.land([late(FAR, "a")])
    seal = tables.seal
    seal.sweep(0)
    tables.land([request(0)])  # an orphan no more, however long ago it landed
    seal.sweep(0)
    assert tables.rows("SELECT toUnixTimestamp(home), parts FROM $database.strays") == [(HOME, 1)]
