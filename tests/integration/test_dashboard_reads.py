"""What dashboards read of ClickHouse: no more where there is more history, unless they ask for it.

An index has an entry every 8,192 rows, and nothing of that size is made here in reasonable time. So the tables are made
anew with an entry a row: then a few requests show what millions would.
"""

from collections.abc import Iterator
from typing import Final

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.migrate import Layout, migrate
from tests.support.panels import ASKED, Asking, create

NAME: Final = "test_dashboard_reads"
FAR: Final = range(49, 600, 6)  # hours before, none of them a week, of which the Overview shows the same hour
NEAR: Final = range(2, 12)
# by the files of queries: how far back they look, on purpose
LOOK_BACK: Final = {
    "scores_drift": "a day: what is usual",
    "segments_worst": "six hours: what is usual",
}


@pytest.fixture(scope="module")
def client(clickhouse: str) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        migrate(client, Layout(NAME))
        finer(client)
        database = create(client, NAME)
        client.command(
            f"INSERT INTO {NAME}.interactions SELECT request_id, arrayJoin(served), 'click', at, NULL, NULL, at "
            f"FROM {NAME}.traces"
        )
        client.database = database.name
        yield client
        client.command(f"DROP DATABASE {NAME} SYNC")


def tables(client: Client) -> dict[str, str]:
    """Those that have rows of their own, with the statement that creates them."""
    query = f"SELECT name, create_table_query FROM system.tables WHERE database = '{NAME}' AND engine LIKE '%MergeTree'"
    return {str(name): str(statement) for name, statement in client.query(query).result_rows}


def finer(client: Client) -> None:
    for name, statement in tables(client).items():
        client.command(f"DROP TABLE {NAME}.{name} SYNC")
        finer = statement.replace("index_granularity = 8192", "index_granularity = 1")
        assert finer != statement
        client.command(finer)


def repeat(client: Client, hours: range) -> None:
    """The same again so many hours before, other requests each time; and one part a partition."""
    for name in tables(client):
        time = "ts" if name == "interactions" else "window"
        if not (name.endswith("_runs") or name in ("sealed", "alert_evaluations", "interactions")):
            continue
        moved = [f"{time} - 3600 * back AS {time}"]
        if name in ("traces_runs", "interactions"):
            moved.append("concat(request_id, '-', toString(back)) AS request_id")
        client.command(
            f"INSERT INTO {NAME}.{name} SELECT * EXCEPT (back) REPLACE ({', '.join(moved)}) "
            f"FROM (SELECT *, arrayJoin({list(hours)}) AS back FROM {NAME}.{name} WHERE {time} >= '2100-01-01')"
        )
        client.command(f"OPTIMIZE TABLE {NAME}.{name} FINAL")


def grown(before: dict[str, int], now: dict[str, int]) -> set[str]:
    """What reads clearly more. An index finds where a time begins and ends only to an entry, for each series."""
    return {name for name, rows in before.items() if now[name] > 1.25 * rows + 1}


def reads(client: Client) -> dict[str, int]:
    """Rows that each query reads of the tables."""
    ask = Asking(client)
    found = {name: ask(each.sql).read for name, each in ASKED.items()}
    assert min(found.values()) > 0
    return found


def test_history_that_nobody_asks_for_is_not_read(client: Client) -> None:
    before = reads(client)
    repeat(client, FAR)
    far = reads(client)
    assert grown(before, far) == set()
    repeat(client, NEAR)
    assert {ASKED[name].name for name in grown(far, reads(client))} == set(LOOK_BACK)
