"""`rectrace migrate`, `topics` and `schema`: what is done once, before a worker runs."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rectrace.commands.common import ClickHouse, Kafka, clear_errors, fail, load, print_json
from schemas.errors import Unavailable

if TYPE_CHECKING:
    from rectrace.settings import Settings


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statements, change nothing.")] = False,
    clickhouse: ClickHouse = None,
) -> None:
    """Make or update the tables in ClickHouse."""
    settings = load(clickhouse=clickhouse)
    from rectrace import database
    from sinks.clickhouse import migrate as migrations

    layout = database.layout(settings)
    with clear_errors(settings), closing(database.clickhouse(settings)) as client:
        if dry_run:
            pending = migrations.pending(client, layout)
            for migration in pending:
                typer.echo(f"-- {migration.name}")
                typer.echo(";\n\n".join(layout.fill(migration.text)) + ";\n")
            if not pending:
                typer.echo(f"-- database {layout.database}: up to date")
            return
        applied = migrations.migrate(client, layout)
    typer.echo(f"database {layout.database}: {'applied ' + ', '.join(applied) if applied else 'up to date'}")


def topics(
    partitions: Annotated[int, typer.Option(min=1, max=10_000, help="Of each topic.")] = 4,
    replication: Annotated[int, typer.Option(min=1, max=32, help="Replicas of each partition.")] = 1,
    kafka: Kafka = None,
) -> None:
    """Create the Kafka topics that are missing. Stage events get the broker's time (LogAppendTime)."""
    settings = load(kafka=kafka)
    created = create_topics(settings, partitions, replication)
    typer.echo(f"created {', '.join(created)}" if created else "all topics are there")
    from rectrace import kafka_admin

    for name, count in kafka_admin.partition_counts(settings).items():
        if count != partitions:
            typer.echo(f"{name} was there before, with {count} partitions instead of {partitions}", err=True)


def schema(
    write: Annotated[Path | None, typer.Option(metavar="DIR", help="Write one file each instead.")] = None,
) -> None:
    """Print the JSON Schema of every event."""
    from schemas import json_schema

    if write is None:
        print_json(json_schema.documents())
        return
    try:
        json_schema.write(write)
    except OSError as error:
        raise typer.BadParameter(f"cannot write to {write}: {error.strerror}", param_hint="--write") from None
    typer.echo(f"wrote {len(json_schema.documents())} schemas to {write}")


def create_topics(settings: "Settings", partitions: int, replication: int = 1) -> list[str]:
    """Create what is missing; returns the names. Exits with a clear message where the broker cannot."""
    from rectrace import kafka_admin, kafka_outages

    try:
        return kafka_admin.create_topics(settings, partitions, replication)
    except Unavailable as error:
        fail(kafka_outages.in_words(str(error), settings))
