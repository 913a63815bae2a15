"""`rectrace changed`: what changed, for whom, and which component did it?"""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from rectrace.commands.common import (
    AsJson,
    ClickHouse,
    Since,
    Until,
    clear_errors,
    load,
    moment,
    now,
    print_json,
    span,
)

if TYPE_CHECKING:
    from rectrace.changed_metrics import Metric
    from sinks.clickhouse.changes import Changes

METRIC_HELP = (
    "requests, empty, short, under_5, under_10, fallback, failed, incomplete, no_response, served, fill, yield "
    "or latency."
)
Against = Annotated[
    str,
    typer.Option("--against", metavar="SPAN", help="Compare with so long ago: 1h, 1d, 7d. Default: the time before."),
]


def changed(
    metric: Annotated[str, typer.Argument(metavar="METRIC", help=METRIC_HELP)],
    since: Since = "15m",
    against: Against = "",
    until: Until = "",
    placement: Annotated[str, typer.Option(help="At this placement.")] = "",
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """What changed? Whose requests, which stage and component first, which reason, and requests to look at.

    Counts what is sealed: up to some 25 seconds ago.
    """
    length, end = span(since), moment(until)
    back = span(against, "--against") if against else length
    if back < length:
        raise typer.BadParameter(
            f"{against!r} reaches into the period: at least --since {since}", param_hint="--against"
        )
    settings = load(clickhouse=clickhouse)
    from rectrace import changed as asking
    from rectrace import database, show_changed, terminal
    from sinks.clickhouse.changes import Changes, Times

    wanted = _metric(metric)
    with clear_errors(settings), closing(database.clickhouse(settings)) as client:
        changes = Changes(client, settings.database, Times.ending(end, length, back), now(), placement)
        if not until:
            changes = _newest(changes, end, length, back)
        told = asking.ask(changes, wanted, database.order(settings, placement))
    if as_json:
        print_json(told.as_json())
    else:
        console = terminal.console()
        console.print(show_changed.changed(told, console.width))


def _metric(name: str) -> "Metric":
    from rectrace.changed_metrics import METRICS

    if name not in METRICS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(METRICS)}", param_hint="METRIC")
    return METRICS[name]


def _newest(changes: "Changes", end: datetime, length: timedelta, back: timedelta) -> "Changes":
    """Ending with the newest sealed window, so that a whole period is compared."""
    from rectrace.item_story import newest_sealed
    from sinks.clickhouse.changes import Times

    return replace(changes, times=Times.ending(newest_sealed(end, changes.seals()["sealed"]), length, back))
