"""`rectrace why` and `rectrace requests`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rectrace.commands.common import (
    AsJson,
    ClickHouse,
    Limit,
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
    from rectrace.story import Story
    from sinks.clickhouse.reader import Reader

LOOK_BACK: Final = timedelta(days=2)
AHEAD: Final = timedelta(minutes=1)  # the broker's clock may be ahead of ours
STATUS_HELP: Final = "empty, short, fallback, error, timeout, no_response, incomplete, conflict or slow."


def why(
    request_id: Annotated[str | None, typer.Argument(metavar="REQUEST_ID")] = None,
    item: Annotated[str, typer.Option(help="The story of this item alone.")] = "",
    user: Annotated[str, typer.Option(help="With --last: whose request.")] = "",
    placement: Annotated[str, typer.Option(help="With --last: where.")] = "",
    last: Annotated[bool, typer.Option("--last", help="The newest request (of --user, at --placement).")] = False,
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """Why was this served, and that not? One request's journey, as soon as it has landed."""
    if (request_id is None) == (not last):
        raise typer.BadParameter("give a REQUEST_ID, or --last with --user or --placement", param_hint="REQUEST_ID")
    if request_id and (user or placement):
        raise typer.BadParameter("--user and --placement go with --last, not with a REQUEST_ID", param_hint="--last")
    settings = load(clickhouse=clickhouse)
    from rectrace import database, show

    with clear_errors(settings), database.asking(settings) as reader:
        told = _told(reader, request_id or _newest(reader, user, placement))
    candidate = told.candidate(item) if item else None
    if item and candidate is None:
        fail(f"{item} was no candidate in request {told.request_id}: no source brought it and no stage mentions it")
    if as_json:
        print_json(candidate.as_json() if candidate else told.as_json())
        return
    console = show.console()
    console.print(show.item_story(told, candidate) if candidate else show.story(told, console.width))


def requests(
    since: Since = "10m",
    until: Until = "",
    user: Annotated[str, typer.Option(help="Of this user.")] = "",
    item: Annotated[str, typer.Option(help="In which this item was a candidate, served or not.")] = "",
    placement: Annotated[str, typer.Option(help="At this placement.")] = "",
    status: Annotated[str, typer.Option(help=STATUS_HELP)] = "",
    limit: Limit = 20,
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """List requests, newest first: nobody at 3 a.m. knows a request id."""
    back, end = span(since), moment(until)
    settings = load(clickhouse=clickhouse)
    from rectrace import database, show
    from sinks.clickhouse.reader import STATUSES, Period, RequestFilter

    if status and status not in STATUSES:
        raise typer.BadParameter(f"{status!r} is none of {', '.join(STATUSES)}", param_hint="--status")
    period = Period(end - back, end if until else end + AHEAD)
    with clear_errors(settings), database.asking(settings) as reader:
        rows = reader.requests(period, RequestFilter(user, placement, status, item), limit)
    if as_json:
        print_json([_plain(row, item) for row in rows])
    elif rows:
        console = show.console()
        console.print(show.requests(rows, item, console.width))
    if len(rows) == limit and not as_json:
        show.more(limit)
    elif not rows:
        typer.echo(f"no such request within {since}{f' before {until}' if until else ''}", err=True)


def _plain(row: dict[str, Any], item: str) -> dict[str, Any]:
    """For --json: versions by component; a position only where an item was asked for."""
    told = row | {"versions": dict(row["versions"])}
    return told if item else {name: value for name, value in told.items() if name != "position"}


def _told(reader: "Reader", request_id: str) -> "Story":
    from rectrace import telling

    told = telling.request(reader, request_id)
    if told is None:
        fail(f"nothing is known of request {request_id!r}: not landed yet, forgotten, or never published")
    return told.story


def _newest(reader: "Reader", user: str, placement: str) -> str:
    from sinks.clickhouse.reader import Period, RequestFilter

    until = now()
    for back in (timedelta(minutes=10), LOOK_BACK):
        period = Period(until - back, until + AHEAD)
        if rows := reader.requests(period, RequestFilter(user, placement), 1):
            return str(rows[0]["request_id"])
    whose = f" of user {user!r}" if user else ""
    where = f" at placement {placement!r}" if placement else ""
    return fail(f"no request{whose}{where} within two days")
