"""`rectrace dashboards`: Grafana dashboards as code."""

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rectrace.commands.common import ClickHouse, Since, Until, clear_errors, fail, load, moment, span

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

app = typer.Typer(no_args_is_help=True, help="Dashboards for Grafana, as code.")


@app.command()
def render(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Default: where they are committed.", show_default=False)
    ] = None,
) -> None:
    """Write the dashboards as JSON for Grafana's file provisioning. Needs rectrace[dashboards]."""
    try:
        from dashboards.grafana import COMMITTED
        from dashboards.grafana import render as rendering
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grafana_foundation_sdk"):
            raise
        fail("only the extra brings what renders: pip install 'rectrace[dashboards]'", code=2)
    folder = out or COMMITTED
    try:
        written = rendering.write(folder)
    except OSError as error:
        raise typer.BadParameter(f"cannot write to {folder}: {error.strerror}", param_hint="--out") from None
    typer.echo(f"wrote {len(written)} dashboards to {folder}")


@app.command()
def check(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", exists=True, file_okay=False, help="Default: those of rectrace."),
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Run every query in ClickHouse, too.")] = False,
    since: Since = "1h",
    until: Until = "",
    clickhouse: ClickHouse = None,
) -> None:
    """Check rendered dashboards: exit code 1 and a line for each thing that is wrong."""
    from dashboards.grafana import COMMITTED
    from dashboards.grafana import check as checking

    end, back = moment(until), span(since)
    documents = _read(folder or COMMITTED)
    found = checking.problems(documents)
    if run:
        settings = load(clickhouse=clickhouse)
        from rectrace import database
        from sinks.clickhouse import migrate

        times = int((end - back).timestamp()), int(end.timestamp())
        with clear_errors(settings), closing(database.clickhouse(settings)) as client:
            migrate.check(client, database.layout(settings))
            client.database = settings.database
            found += [problem for document in documents.values() for problem in _failing(client, document, times)]
    for problem in found:
        typer.echo(problem)
    if found:
        raise typer.Exit(1)
    queries = sum(1 for each in documents.values() for _ in chain(checking.asked(each), checking.measured(each)))
    typer.echo(f"{len(documents)} dashboards, {queries} queries, nothing wrong")


def _read(folder: Path) -> dict[str, Any]:
    """Every dashboard in the folder, by the name of its file."""
    documents = {}
    for file in sorted(folder.glob("*.json")):
        try:
            documents[file.stem] = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            fail(f"{file} is no JSON: {error}")
    if not documents:
        fail(f"there is no dashboard in {folder}")
    return documents


def _failing(client: "Client", document: Any, times: tuple[int, int]) -> Iterator[str]:
    """Every query of a dashboard that does not run, with nothing chosen."""
    from dashboards.grafana.check import asked, defaults
    from dashboards.grafana.expand import NotUnderstood, Shown, expand
    from schemas.errors import Unavailable
    from sinks.clickhouse.client import Refused, errors

    shown = Shown(*times, variables=defaults(document))
    for each in asked(document):
        try:
            with errors(each.where):
                client.query(expand(each.sql, shown), settings={"readonly": 2, "max_execution_time": 60})
        except NotUnderstood as error:
            yield f"{each.where}: {error}"
        except (Refused, Unavailable) as error:
            yield str(error)
