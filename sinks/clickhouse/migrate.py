"""Numbered, frozen SQL migrations with a status table. A file that has been applied anywhere is never edited again."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Final

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import errors


class MigrationError(Exception):
    """The database and the migrations of this version do not fit together."""


@dataclass(frozen=True)
class Migration:
    """One file NNNN_name.sql."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Of the file as it is shipped, before settings are filled in."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Layout:
    """Where the tables go: one server, or a cluster with replicated engines."""

    database: str = "rectrace"
    cluster: str = ""
    fsync: bool = False

    def fill(self, text: str) -> list[str]:
        """The statements of a migration with these settings filled in."""
        filled = Template(text).substitute(
            database=self.database,
            on_cluster=self.on_cluster,
            replicated="Replicated" if self.cluster else "",
            fsync=int(self.fsync),
        )
        return [statement.strip() for statement in filled.split(";\n") if statement.strip().rstrip(";")]

    @property
    def on_cluster(self) -> str:
        """The clause, empty on one server."""
        return f"ON CLUSTER '{self.cluster}'" if self.cluster else ""


_STATUS: Final = """
CREATE TABLE IF NOT EXISTS $database.migrations $on_cluster
(
    name String,
    checksum String,
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = ${replicated}MergeTree
ORDER BY name
"""


def shipped() -> list[Migration]:
    """The migrations of this version, in order."""
    folder = files("sinks.clickhouse").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [Migration(name.removesuffix(".sql"), folder.joinpath(name).read_text("utf-8")) for name in names]


def pending(client: Client, layout: Layout) -> list[Migration]:
    """Shipped migrations that this database does not have. Raises MigrationError where the two do not fit."""
    applied = _applied(client, layout)
    known = {migration.name: migration for migration in shipped()}
    for name, checksum in applied.items():
        if name not in known:
            raise MigrationError(
                f"database {layout.database!r} has migration {name!r}, which this version of rectrace does not know: "
                "it was migrated by a newer version"
            )
        if known[name].checksum != checksum:
            raise MigrationError(
                f"migration {name!r} of database {layout.database!r} was applied with other contents than this version "
                "ships: migrations are frozen once applied"
            )
    return [migration for name, migration in known.items() if name not in applied]


def migrate(client: Client, layout: Layout) -> list[str]:
    """Apply what is pending; returns the names. Every statement may be repeated, so a crash half-way does no harm."""
    with errors(f"migrating database {layout.database!r}"):
        client.command(f"CREATE DATABASE IF NOT EXISTS {layout.database} {layout.on_cluster}")
        client.command(layout.fill(_STATUS)[0])
    done = []
    for migration in pending(client, layout):
        with errors(f"migration {migration.name!r}"):
            for statement in layout.fill(migration.text):
                client.command(statement)
            client.insert(
                f"{layout.database}.migrations",
                [[migration.name, migration.checksum]],
                column_names=["name", "checksum"],
            )
        done.append(migration.name)
    return done


def check(client: Client, layout: Layout) -> None:
    """Raise MigrationError, with what to do, unless the database is up to date."""
    if missing := pending(client, layout):
        names = ", ".join(migration.name for migration in missing)
        raise MigrationError(f"database {layout.database!r} lacks {names}: run `rectrace migrate` first")


def _applied(client: Client, layout: Layout) -> dict[str, str]:
    with errors(f"reading the migrations of database {layout.database!r}"):
        exists = client.query(
            "SELECT name FROM system.tables WHERE database = {database:String} AND name = 'migrations'",
            parameters={"database": layout.database},
        ).result_rows
        if not exists:
            return {}
        rows = client.query(f"SELECT name, checksum FROM {layout.database}.migrations").result_rows
    return {str(name): str(checksum) for name, checksum in rows}
