"""`rectrace dashboards`: Grafana dashboards as code."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from rectrace.commands.common import (
    AsJson,
    ClickHouse,
    Since,
    Until,
    clear_errors,
    fail,
    load,
    moment,
    print_json,
    span,
)

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from dashboards.grafana.push import Plan, Step
    from rectrace.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Dashboards for Grafana, as code.")

Folder = Annotated[
    Path | None, typer.Argument(metavar="[DIR]", exists=True, file_okay=False, help="Default: those of rectrace.")
]
DIFF_LINES: Final = 40  # of one dashboard
DIFF_WIDTH: Final = 160  # characters


@app.command()
def render(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Default: where they are committed.", show_default=False)
    ] = None,
) -> None:
    """Write the dashboards as JSON for Grafana's file provisioning. Needs the extra `dashboards`."""
    with _extra("renders"):
        from dashboards.grafana import COMMITTED
        from dashboards.grafana import render as rendering
    folder = out or COMMITTED
    try:
        written = rendering.write(folder)
    except OSError as error:
        raise typer.BadParameter(f"cannot write to {folder}: {error.strerror}", param_hint="--out") from None
    typer.echo(f"wrote {len(written)} dashboards to {folder}")


@app.command()
def check(
    folder: Folder = None,
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


@app.command()
def push(
    files: Folder = None,
    grafana: Annotated[
        str | None, typer.Option("--grafana", metavar="URL", help="Default: RECTRACE_ALERTS__GRAFANA.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="Of a service account with the role Editor. Default: RECTRACE_GRAFANA_TOKEN.",
        ),
    ] = None,
    folder: Annotated[
        str,
        typer.Option("--folder", metavar="UID[/UID]", help="Of the folder, after those it is in; made if missing."),
    ] = "rectrace",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, change nothing.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=600, help="For Grafana to answer.")
    ] = 10,
    as_json: AsJson = False,
) -> None:
    """Put the dashboards into a Grafana that is running (11 or newer). Needs the extra `dashboards`.

    What is as it should be is left alone; what has their uid and not their tag is refused; nothing is ever deleted.
    """
    with _extra("pushes"):
        from dashboards.grafana import COMMITTED
        from dashboards.grafana import push as pushing
        from dashboards.grafana.server import Grafana, GrafanaError

    settings = load()
    url, token = _address(grafana or settings.alerts.grafana), _token(token_file, settings)
    documents = {document["uid"]: document for document in _read(files or COMMITTED).values()}
    try:
        with Grafana(url, token, timeout) as server:
            server.version()
            planned = pushing.plan(server, documents, folder)
            _tell_folders(planned, dry_run, as_json)
            for step in planned.steps if dry_run or planned.refused else pushing.push(server, documents, planned):
                _tell(step, dry_run, as_json)
    except GrafanaError as error:
        fail(str(error))
    if as_json:
        print_json(_as_json(planned, dry_run))
    if planned.refused:
        fail("nothing was written")


def _tell_folders(planned: "Plan", dry_run: bool, as_json: bool) -> None:
    for uid, parent in [] if as_json or planned.refused else planned.folders:
        typer.echo(f"folder {uid}{' in ' + parent if parent else ''}: {'would be made' if dry_run else 'new'}")


def _tell(step: "Step", dry_run: bool, as_json: bool) -> None:
    if as_json:
        return
    why = f": {step.lines[0]}" if step.what == "refused" or (dry_run and step.what == "new") else ""
    if step.by_hand:
        why = f", {'would replace' if dry_run else 'replaced'} version {step.over}, which no push saved"
    typer.echo(f"{step.uid}: {step.what}{why}")
    if dry_run and step.what == "changed":
        _show_diff(step.lines)


def _show_diff(lines: Sequence[str]) -> None:
    for line in lines[:DIFF_LINES]:
        typer.echo(f"  {line if len(line) <= DIFF_WIDTH else line[:DIFF_WIDTH] + '...'}")
    if len(lines) > DIFF_LINES:
        typer.echo(f"  and {len(lines) - DIFF_LINES} lines more, which --json has")


def _as_json(planned: "Plan", dry_run: bool) -> dict[str, Any]:
    made = [{"uid": uid, "parent": parent or None} for uid, parent in planned.folders]
    steps = [
        {"uid": step.uid, "what": step.what, "by_hand": step.by_hand, "lines": step.lines} for step in planned.steps
    ]
    written = not (dry_run or planned.refused)
    return {"written": written, "folder": planned.folder, "new_folders": made, "dashboards": steps}


def _address(url: str) -> str:
    """Of Grafana, or exit code 2."""
    from pydantic import TypeAdapter, ValidationError

    from rectrace.settings import BaseUrl

    if not url:
        fail("which Grafana? Give its URL with --grafana or RECTRACE_ALERTS__GRAFANA", code=2)
    try:
        address: str = TypeAdapter(BaseUrl).validate_python(url)
    except ValidationError:
        raise typer.BadParameter("must be http://... or https://..., without ? and #", param_hint="--grafana") from None
    if "@" in urlsplit(address).netloc:
        raise typer.BadParameter("must be without a password: a token says who pushes", param_hint="--grafana")
    return address


def _token(file: Path | None, settings: "Settings") -> str:
    """The token, or exit code 2. It is never in a message."""
    token, where = settings.grafana_token.get_secret_value().strip(), "RECTRACE_GRAFANA_TOKEN"
    if file:
        where = f"--token-file {file}"
        try:
            token = file.read_text("utf-8").strip()
        except OSError as error:
            fail(f"{where}: {error.strerror}", code=2)
        except UnicodeDecodeError:
            fail(f"{where}: must hold a token and nothing else", code=2)
    elif not token:
        fail(
            "who pushes? Make a service account with the role Editor in Grafana, and give its token with --token-file "
            "or RECTRACE_GRAFANA_TOKEN",
            code=2,
        )
    if not re.fullmatch(r"[!-~]+", token):
        fail(f"{where}: must hold a token and nothing else", code=2)
    return token


@contextmanager
def _extra(does: str) -> Iterator[None]:
    """Exit code 2 where a package of the extra is missing. does: what needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(("grafana_foundation_sdk", "grafana_api", "requests")):
            raise
        fail(f"only the extra brings what {does}: pip install 'rectrace[dashboards]'", code=2)


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
