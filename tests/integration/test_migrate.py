"""Migrations against a real engine."""

from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.errors import Unavailable
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Layout, Migration, MigrationError, check, migrate, pending, shipped


@pytest.fixture
def client(clickhouse: str) -> Iterator[Client]:
    with connect(clickhouse) as client:
        yield client


@pytest.fixture
def layout(database: str) -> Layout:
    return Layout(database)


def names(migrations: list[Migration]) -> list[str]:
    return [migration.name for migration in migrations]


def tables(client: Client, layout: Layout) -> list[tuple[str, str]]:
    query = "SELECT name, create_table_query FROM system.tables WHERE database = {database:String} ORDER BY name"
    return [tuple(row) for row in client.query(query, parameters={"database": layout.database}).result_rows]


def test_they_are_numbered_without_a_gap() -> None:
    assert [int(migration.name[:4]) for migration in shipped()] == list(range(1, len(shipped()) + 1))


def test_what_is_pending_can_be_asked_without_changing_anything(client: Client, layout: Layout) -> None:
    assert names(pending(client, layout)) == names(shipped())
    assert tables(client, layout) == []
    with pytest.raises(MigrationError, match=r"lacks 0001_landing, .*run `rectrace migrate` first"):
        check(client, layout)


def test_all_are_applied_once(client: Client, layout: Layout) -> None:
    assert migrate(client, layout) == names(shipped())
    before = tables(client, layout)
    assert {"landing", "traces", "sealed", "dead_letters", "migrations"} <= {name for name, _ in before}
    assert migrate(client, layout) == []
    assert pending(client, layout) == []
    check(client, layout)
    assert tables(client, layout) == before
    rows = client.query(f"SELECT count(), uniqExact(name) FROM {layout.database}.migrations").result_rows
    assert rows == [(len(shipped()), len(shipped()))]


def test_a_migration_that_was_edited_is_refused(client: Client, layout: Layout) -> None:
    migrate(client, layout)
    client.command(
        f"ALTER TABLE {layout.database}.migrations UPDATE checksum = 'other' WHERE name = '0001_landing' "
        "SETTINGS mutations_sync = 1"
    )
    for ask in (pending, migrate, check):
        with pytest.raises(MigrationError, match=r"'0001_landing' of database .* other contents"):
            ask(client, layout)


def test_a_database_of_a_newer_version_is_refused(client: Client, layout: Layout) -> None:
    migrate(client, layout)
    client.insert(f"{layout.database}.migrations", [["9999_later", "x"]], column_names=["name", "checksum"])
    for ask in (pending, migrate, check):
        with pytest.raises(MigrationError, match=r"'9999_later'.*newer version"):
            ask(client, layout)


class Crashing:
    """A client whose process dies when it is about to send its n-th statement."""

    def __init__(self, client: Client, after: int) -> None:
        self._client = client
        self._left = after

    def __getattr__(self, name: str) -> Any:
        if name in ("command", "query", "insert"):
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
        return getattr(self._client, name)


def test_a_crash_at_any_statement_does_no_harm(client: Client, layout: Layout) -> None:
    whole = Layout(f"{layout.database}_whole")
    migrate(client, whole)
    statements = 0
    while True:
        crashing: Any = Crashing(client, statements)
        try:
            migrate(crashing, layout)
            break
        except KeyboardInterrupt:
            statements += 1
    assert statements > 10
    check(client, layout)
    wanted = [(name, text.replace(whole.database, layout.database)) for name, text in tables(client, whole)]
    client.command(f"DROP DATABASE {whole.database} SYNC")
    assert tables(client, layout) == wanted


def test_a_statement_that_fails_names_its_migration(client: Client, layout: Layout) -> None:
    client.command(f"CREATE DATABASE {layout.database}")
    client.command(f"CREATE TABLE {layout.database}.sealed (x UInt8) ENGINE = MergeTree ORDER BY x")
    with pytest.raises(Unavailable, match="migration '0002_sealed'"):
        migrate(client, layout)


@pytest.mark.parametrize(
    ("layout", "engine", "clause"),
    [
        (Layout("r"), "ENGINE = MergeTree", ""),
        (Layout("r", "main"), "ENGINE = ReplicatedMergeTree", "ON CLUSTER 'main'"),
    ],
)
def test_the_same_files_are_for_one_server_and_for_a_cluster(layout: Layout, engine: str, clause: str) -> None:
    statements = [statement for migration in shipped() for statement in layout.fill(migration.text)]
    created = [statement for statement in statements if "CREATE TABLE" in statement]
    assert all(f" {clause}" in statement for statement in created)
    assert any(engine in statement for statement in created)
    assert not any("$" in statement for statement in statements)


def test_durability_is_a_setting() -> None:
    landing = shipped()[0].text
    assert "fsync_after_insert = 1" in Layout("r", fsync=True).fill(landing)[0]
    assert "fsync_after_insert = 0" in Layout("r").fill(landing)[0]
