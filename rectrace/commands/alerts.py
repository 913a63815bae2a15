"""`rectrace alerts`: what fires, what has fired, and what shows it."""

from contextlib import closing
from typing import Annotated

import typer

from rectrace.commands.common import AsJson, ClickHouse, Since, clear_errors, load, now, print_json, span

app = typer.Typer(no_args_is_help=True, help="Alerts about the recommender: what fires, and what has.")
MOST = 10_000


@app.command("list")
def list_alerts(
    since: Since = "1h",
    firing: Annotated[bool, typer.Option("--firing", help="Only what fires now.")] = False,
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """Alerts that are pending or fire, and those that ended lately, with what shows them."""
    back = span(since)
    settings = load(clickhouse=clickhouse)
    from rectrace import alert_list, database, show
    from schemas.alerts import CHAINS
    from sinks.clickhouse.alerts import ClickHouseAlerts
    from streams.alerts.text import Links

    present = now()
    after = int((present - back).timestamp())
    links = Links(settings.alerts.console, settings.alerts.grafana, settings.alerts.runbooks)
    with clear_errors(settings), closing(database.clickhouse(settings)) as client:
        store = ClickHouseAlerts(client, settings.database)
        newest = [latest for chain in CHAINS if (latest := store.latest(chain))]
        changed = [each for chain in CHAINS for each in store.changed(chain, after, MOST)]
    found = alert_list.incidents(changed, newest, links)
    found = [each for each in found if each.status == "firing" or not firing]
    if as_json:
        print_json([each.as_json() for each in found])
        return
    console = show.console()
    if found:
        console.print(alert_list.show(found, present))
    elif not newest:
        console.print("no window has been evaluated yet: a worker that seals does, 10 to 25 s after the first requests")
    else:
        console.print("nothing fires" if firing else f"no alert in the last {since}")
