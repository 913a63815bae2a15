"""The command line: `rectrace`. Exit codes: 0 done, 1 failed or not found, 2 wrong usage or settings."""

import os
import sys
from importlib import metadata
from typing import Annotated

import typer

from rectrace.commands import administer, alerts, changed, console, dashboards, dead_letters, item, rule_log, run, why


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"rectrace {metadata.version('rectrace')}")
        raise typer.Exit


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Streaming observability for recommender systems: where is the problem, why this item, why not that one?",
)
for command in (
    run.demo, run.stack, run.worker, console.console, why.why, why.requests, item.item, changed.changed,
    administer.migrate, administer.topics, administer.schema,
):  # fmt: skip
    app.command()(command)
app.add_typer(alerts.app, name="alerts")
app.add_typer(dashboards.app, name="dashboards")
app.add_typer(dead_letters.app, name="dlq")
app.add_typer(rule_log.app, name="rules")


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and stop.")
    ] = False,
) -> None:
    """Nothing to do: the callback of --version has ended it already."""


def main() -> None:
    """Entry point of the `rectrace` command."""
    try:
        app()
    except BrokenPipeError:  # `rectrace requests | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
        sys.exit(1)
