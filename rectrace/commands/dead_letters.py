"""`rectrace dlq`: records that could not be taken, with their bytes."""

import base64
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rectrace.commands.common import (
    AsJson,
    ClickHouse,
    Kafka,
    Limit,
    Since,
    Until,
    clear_errors,
    fail,
    load,
    moment,
    print_json,
    span,
)
from schemas.errors import Unavailable

if TYPE_CHECKING:
    from rectrace.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Dead letters: records that could not be taken, with their bytes.")

Reason = Annotated[str, typer.Option(help="Of this reason, such as missing_field.")]
Component = Annotated[str, typer.Option(help="Of this component.")]
Topic = Annotated[str, typer.Option(help="Of this topic.")]
Row = dict[str, Any]


@app.command("list")
def list_letters(
    since: Since = "1h",
    until: Until = "",
    reason: Reason = "",
    component: Component = "",
    topic: Topic = "",
    limit: Limit = 50,
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """List dead letters, those found last first."""
    settings = load(clickhouse=clickhouse)
    rows = _rows(settings, since, until, reason, component, topic, limit)
    from rectrace import show

    if as_json:
        print_json([row | _encoded(row["raw"]) for row in rows])
    elif rows:
        console = show.console()
        console.print(show.dead_letters(rows, console.width))
        if len(rows) == limit:
            show.more(limit)
    else:
        typer.echo(f"no such dead letters within {since}", err=True)


def _encoded(raw: bytes) -> dict[str, str]:
    """Bytes that are no text can be had back from this."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode()}
    return {}


@app.command()
def replay(
    since: Since = "1h",
    until: Until = "",
    reason: Reason = "",
    component: Component = "",
    topic: Topic = "",
    limit: Limit = 10_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, send nothing.")] = False,
    kafka: Kafka = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Send dead letters to their topics again, bytes as they were: after the cause is mended.

    Their events join the request they belong to, however long ago it was (within join.late_horizon); sending one twice
    changes nothing. What is still wrong becomes a dead letter again. Items of the catalogue go only with --topic: an
    old record would become the newest.
    """
    settings = load(kafka=kafka, clickhouse=clickhouse)
    letters = _rows(settings, since, until, reason, component, topic, limit)
    from rectrace import kafka_outages, replaying
    from rectrace.kafka_cluster import cluster

    chosen = replaying.choose(letters, settings.topics.catalog if not topic else "")
    if dry_run:
        typer.echo(f"would send {replaying.summary(chosen)}")
        return
    try:
        failed = replaying.send(cluster(settings), chosen.records)
    except Unavailable as error:
        fail(kafka_outages.in_words(str(error), settings))
    for what in failed:
        typer.echo(f"not sent: {what}", err=True)
    if failed:
        fail(f"{len(failed)} of {len(chosen.records)} records could not be sent")
    typer.echo(f"sent {replaying.summary(chosen)}")


def _rows(
    settings: "Settings", since: str, until: str, reason: str, component: str, topic: str, limit: int
) -> list[Row]:
    """Letters, those found last first. Wrong usage: a reason that there is not."""
    from schemas.errors import REASONS

    back, end = span(since), moment(until)
    if reason and reason not in REASONS:
        raise typer.BadParameter(f"{reason!r} is none of {', '.join(REASONS)}", param_hint="--reason")
    from rectrace import database

    with clear_errors(settings), database.asking(settings) as reader:
        return reader.dead_letters(back, end, reason=reason, component=component, topic=topic, limit=limit)
