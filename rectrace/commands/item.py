"""`rectrace item`: why is this item not shown?"""

from typing import TYPE_CHECKING, Annotated

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
    from rectrace.settings import Settings
    from sinks.clickhouse.reader import Period, Reader


def item(
    item: Annotated[str, typer.Argument(metavar="ITEM")],
    since: Since = "15m",
    until: Until = "",
    segment: Annotated[str, typer.Option(metavar="NAME=VALUE", help="Within one segment, such as country=DE.")] = "",
    placement: Annotated[str, typer.Option(help="At this placement.")] = "",
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """Why is this item not shown? From the unsampled outcomes of all its candidacies, against the time before.

    Counts what is sealed: up to some 25 seconds ago.
    """
    back, end = span(since), moment(until)
    settings = load(clickhouse=clickhouse)
    if segment:
        _check_name(settings, segment)
    from rectrace import database, show, telling
    from rectrace.item_story import Asked
    from sinks.clickhouse.reader import Period

    with clear_errors(settings), database.asking(settings) as reader:
        if segment:
            _check_known(reader, Period(end - back, end), segment)
        told = telling.item(reader, Asked(item, segment, placement, end - back, end), until_now=not until)
    if as_json:
        print_json(told.as_json())
    else:
        console = show.console()
        console.print(show.item(told, console.width))


def _check_name(settings: "Settings", segment: str) -> None:
    name, equals, value = segment.partition("=")
    kept = settings.outcomes.segments
    if not equals or not value or name not in kept:
        raise typer.BadParameter(
            f"{segment!r} is no segment that outcomes are kept by: give NAME=VALUE, NAME one of "
            f"{', '.join(kept) or 'none'} (setting outcomes.segments)",
            param_hint="--segment",
        )


def _check_known(reader: "Reader", period: "Period", segment: str) -> None:
    """A value that nobody sent is a mistake, or a name that `other` stands for."""
    from sinks.clickhouse.reader import Period

    known = reader.segments(Period(period.before, period.until))
    if segment not in known:
        name = segment.partition("=")[0]
        values = ", ".join(each for each in known if each.startswith(f"{name}=")) or "none yet"
        fail(f"no outcomes for {segment!r} in that time; there are {values}")
