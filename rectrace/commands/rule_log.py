"""`rectrace rules publish|disable|list|pressure|diff`: the rules that are in force."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rectrace.commands import rules as of_files
from rectrace.commands.common import (
    AsJson,
    ClickHouse,
    Kafka,
    Since,
    Until,
    clear_errors,
    fail,
    load,
    moment,
    now,
    print_json,
    span,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rectrace.producing import Outgoing
    from rectrace.settings import Settings

app = of_files.app
By = Annotated[str, typer.Option("--by", help="Who does it. Default: the user's name.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Rules.", show_default=False)]
Row = dict[str, Any]


@app.command()
def publish(
    files: of_files.Files,
    by: By = "",
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
    kafka: Kafka = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Put the rules of files in force, from the next window on. What is in force already, unchanged, is left alone."""
    settings = load(kafka=kafka, clickhouse=clickhouse)
    rules = of_files.sound(files)
    from rectrace import rule_publishing
    from rectrace.settings import user_name

    found = rule_publishing.differences(rules, _published(settings))
    changing = {each.id: each.what for each in found if each.what in ("new", "changed", "enabled")}
    chosen = [rule for rule in rules if rule.id in changing]
    records = rule_publishing.publishing(settings.topics.rules, chosen, by or user_name(), note)
    if not dry_run:
        _send(settings, records)
    if as_json:
        print_json({"published": changing, "unchanged": len(rules) - len(chosen), "dry_run": dry_run})
        return
    for name, what in changing.items():
        typer.echo(f"{what:8} {name}")
    said = f"would publish {len(chosen)}" if dry_run else f"published {len(chosen)}"
    typer.echo(f"{said}, {len(rules) - len(chosen)} of {len(rules)} unchanged")


@app.command()
def disable(
    ids: Ids,
    by: By = "",
    note: Note = "",
    as_json: AsJson = False,
    kafka: Kafka = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Take rules out of force, from the next window on. What they found stays."""
    settings = load(kafka=kafka, clickhouse=clickhouse)
    from rectrace import rule_publishing
    from rectrace.settings import user_name
    from schemas.rule_problems import nearest

    in_force = [str(row["id"]) for row in _published(settings) if not row["deleted"]]
    for name in ids:
        if name not in in_force:
            fail(f"no rule {name!r} is in force{nearest(name, in_force)}")
    _send(settings, rule_publishing.disabling(settings.topics.rules, ids, by or user_name(), note))
    if as_json:
        print_json({"disabled": ids})
    else:
        typer.echo(f"disabled {', '.join(ids)}")


@app.command("list")
def list_rules(
    since: Since = "1d",
    everything: Annotated[bool, typer.Option("--all", help="Disabled ones, too.")] = False,
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """List the rules in force: whose they are, since when, what they found, and the served slots of those that act."""
    settings = load(clickhouse=clickhouse)
    rows = [row for row in _published(settings, now() - span(since)) if everything or not row["deleted"]]
    from rectrace import show_rule_log

    if as_json:
        print_json(rows)
    elif rows:
        console = show_rule_log.console()
        console.print(show_rule_log.rules(rows, since, console.width))
    else:
        typer.echo("no rule is in force: `rectrace rules publish FILES` puts some", err=True)


@app.command()
def pressure(
    since: Since = "1h",
    until: Until = "",
    placement: Annotated[str, typer.Option(help="At this placement.")] = "",
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """What rules do to what is served: how far from the model's order, at what cost, and which rules stand in each
    other's way.

    Counts what is sealed: up to some 25 seconds ago.
    """
    back, end = span(since), moment(until)
    settings = load(clickhouse=clickhouse)
    from rectrace import database, show_pressure
    from schemas.rule_problems import nearest
    from sinks.clickhouse.reader import Period

    period = Period(end - back, end)
    with clear_errors(settings), database.asking(settings) as reader:
        known = reader.pressure(period)
        placements = [row for row in known if placement in ("", row["placement"])]
        if not known:
            fail(f"no sealed requests in the {since} before {end:%Y-%m-%d %H:%M:%S} UTC")
        if not placements:
            names = sorted(row["placement"] for row in known)
            fail(f"no requests at {placement!r} in that time{nearest(placement, names)}; there are {', '.join(names)}")
        rules = reader.rule_pressure(period, placement)
    if as_json:
        print_json({"since": period.since, "until": period.until, "placements": placements, "rules": rules})
    else:
        console = show_pressure.console()
        console.print(show_pressure.pressure(placements, rules, console.width))


@app.command()
def diff(files: of_files.Files, as_json: AsJson = False, clickhouse: ClickHouse = None) -> None:
    """Compare rules in files with those in force; exit code 1 if they differ."""
    settings = load(clickhouse=clickhouse)
    rules = of_files.sound(files)
    from rectrace import rule_publishing

    found = rule_publishing.differences(rules, _published(settings))
    changed = [each for each in found if each.what != "same"]
    if as_json:
        print_json([{"id": each.id, "what": each.what, "diff": each.lines} for each in found])
    else:
        for each in changed:
            typer.echo("\n".join([f"{each.what}: {each.id}", *each.lines, ""]))
        typer.echo(f"{len(changed)} differ, {len(found) - len(changed)} are the same")
    if changed:
        raise typer.Exit(1)


def _published(settings: "Settings", since: datetime | None = None) -> list[Row]:
    from rectrace import database

    with clear_errors(settings), database.asking(settings) as reader:
        return reader.rules(since or now())


def _send(settings: "Settings", records: "Sequence[Outgoing]") -> None:
    from rectrace import rule_sending

    if problem := rule_sending.send(settings, records):
        fail(problem)
