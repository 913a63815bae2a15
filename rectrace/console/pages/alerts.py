"""Alerts that fire, that may soon, and that have: what `rectrace alerts list` tells, and who acted on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace import alert_list
from rectrace.alert_list import Incident
from rectrace.console import addresses, alert_story, layout, states, tables, times
from rectrace.console.addresses import BadAddress, Span
from rectrace.console.tables import Column, View
from rectrace.settings import Settings
from rectrace.terminal import labels
from sinks.clickhouse import incidents
from sinks.clickhouse.reader import Period, Reader
from sinks.silences import RETENTION_DAYS, Kept, Silence, Silences
from streams.alerts.text import Links

DEFAULT_FROM: Final = "now-1d"
MOST: Final = 5_000  # changes
STATUSES: Final = ("firing", "pending", "resolved")
BEHIND: Final = timedelta(seconds=90)  # alerts are known 10 to 25 s after what they are about
_OWN: Final = "http://console"  # what links to the console begin with, and do not within it
_COLUMNS: Final = (
    Column("status", "status", state=True, good=("resolved", "pending")),
    Column("severity", "severity"),
    Column("alert", "alert", linked=True),
    Column("where", "where", wide=7),
    Column("began", "began (UTC)", wide=5),
    Column("minutes", "lasted, min", digits=1),
    Column("acted", "acted on", wide=5),
    Column("summary", "what is wrong", wide=13),
    Column("changed", "what changed", wide=13),
    Column("told", "told", wide=5),
)
_TALLY: Final = (
    Column("alert", "alert", linked=True),
    Column("rule", "rule", linked=True),
    Column("fired", "fired", digits=0),
    *(Column(name, name, digits=0) for name in alert_story.OUTCOMES),
)


@dataclass(frozen=True)
class Asked:
    """The whole state of the page."""

    span: Span
    status: str
    alert: str
    view: View

    @classmethod
    def of(cls, query: Mapping[str, str], now: datetime) -> "Asked":
        """From the page's address. Raises BadAddress."""
        status, alert = (query.get(name, "").strip() for name in ("status", "alert"))
        for name, given, allowed in (("status", status, STATUSES), ("alert", alert, alert_story.NAMES)):
            if given and given not in allowed:
                raise BadAddress(f"{name}={given!r} is none of {', '.join(allowed)}")
        return cls(addresses.span(query, now, DEFAULT_FROM), status, alert, View.of(query))

    @property
    def address(self) -> str:
        """Of this very view."""
        return self.at(self.span.query)

    def at(self, time: Mapping[str, str]) -> str:
        """The address of the same at another time."""
        query = {"status": self.status, "alert": self.alert, "sort": self.view.sort, "find": self.view.find}
        return addresses.to("/alerts", **{**query, **time})


@dataclass(frozen=True)
class Found:
    """Alerts of a time. evaluated: the end of the newest window that was evaluated. None of it: no window ever was.
    kept: None where no Alertmanager is set."""

    incidents: list[Incident]
    evaluated: datetime | None
    kept: Kept | None
    cut: bool  # there is more, and older

    @property
    def silences(self) -> list[Silence] | None:
        """None: it is not known which there are."""
        return None if self.kept is None or self.kept.problems else self.kept.silences


def register(pages: states.Pages) -> None:
    """`/alerts?...`"""
    silences = of_settings(pages.settings)

    @ui.page("/alerts")
    async def alerts(request: Request) -> None:
        with layout.page(request, "Alerts", "Alerts"):
            now = datetime.now(UTC)
            asked = Asked.of(request.query_params, now)
            times.chooser(asked.span, asked.at, times.LONGER)
            _form(asked)
            await pages.show(
                "Looking for alerts",
                lambda reader: find(reader, pages.settings, silences, asked.span),
                lambda found: _shown(asked, found, now),
            )


def of_settings(settings: Settings) -> Silences:
    """Of the Alertmanagers that are told."""
    return Silences(settings.alerts.alertmanager, settings.alerts.timeout)


def find(reader: Reader, settings: Settings, silences: Silences, span: Span, fingerprint: str = "") -> Found:
    """Alerts of a time, of one fingerprint or of all, and all that is known of silences."""
    links = Links(_OWN, settings.alerts.grafana, settings.alerts.runbooks)
    newest = incidents.newest(reader)
    changed = incidents.changed(reader, Period(span.since, span.until), MOST, fingerprint)
    of_all = alert_list.incidents(changed, newest, links)
    return Found(
        [each for each in of_all if each.began < span.until and fingerprint in ("", each.fingerprint)],
        incidents.evaluated(newest),
        silences.read() if silences else None,
        len(changed) == MOST,
    )


def to_alert(fingerprint: str, began: datetime | None = None) -> str:
    """The address of one alert; began: of the time that it began then, not the last one."""
    return addresses.to("/alerts", fingerprint, began=str(int(began.timestamp())) if began else "")


def within(url: str) -> str:
    """A link as it is within the console."""
    return url.removeprefix(_OWN)


def _form(asked: Asked) -> None:
    fields: dict[str, ui.select] = {}

    def search() -> None:
        status, alert = (str(fields[name].value or "") for name in ("status", "alert"))
        ui.navigate.to(replace(asked, status=status, alert=alert).address)

    with ui.row().classes("w-full items-end gap-x-3 gap-y-1"):
        for name, allowed in (("status", STATUSES), ("alert", alert_story.NAMES)):
            options = {"": "any", **{each: each for each in allowed}}
            field = ui.select(options, value=getattr(asked, name), label=name, on_change=search)
            fields[name] = field.classes("w-48").props("dense").mark(f"ask-{name}")


def _shown(asked: Asked, found: Found, now: datetime) -> None:
    freshness(found, now)
    if found.cut:
        ui.label(f"Of so long a time only the newest {MOST:,} changes of alerts are read.").classes("text-grey")
    of_name = [each for each in found.incidents if asked.alert in ("", each.alert)]
    shown = [each for each in of_name if asked.status in ("", each.status)]
    if not shown:
        states.nothing("No such alert in that time.", _hint(asked, found))
    else:
        firing = sum(each.status == "firing" for each in shown)
        ui.label(f"{len(shown):,} alerts, {firing} of them firing now").classes("text-grey")
        rows = [_row(each, found, now) for each in shown]
        tables.table("alerts", _COLUMNS, rows, asked.view, lambda view: replace(asked, view=view).address)
    told = alert_story.tally(of_name, found.silences, now)
    if told:
        layout.section("How often, and whether anybody acted")
        remembered(found)
        here = [
            {
                "alert": name,
                "alert_href": replace(asked, alert=name).address,
                "rule": rule,
                "rule_href": addresses.to("/rules", rule) if rule else "",
                **counts,
            }
            for (name, rule), counts in told.items()
        ]
        tables.small("tally", _TALLY, here)


def freshness(found: Found, now: datetime) -> None:
    """Says so where what is shown is not what is."""
    if found.evaluated and now - found.evaluated > BEHIND:
        with states.card("red").props('role="alert"'):
            ui.label(
                f"Alerts are evaluated until {found.evaluated:%Y-%m-%d %H:%M:%S} UTC only: what has happened since is "
                "not known. Does a worker run, and seal?"
            )


def remembered(found: Found) -> None:
    """How far what is said of acting can be believed."""
    if found.kept is None:
        text = "Who acted is not known: no Alertmanager is set (alerts.alertmanager)."
    elif found.kept.problems:
        text = f"Who acted is not known: {'; '.join(found.kept.problems)}"
    else:
        text = (
            "Acted on: a silence held while it fired, be it an acknowledgement or not. Ignored: it was told, and is "
            "over without one. Alertmanager forgets silences that have ended after its retention "
            f"({RETENTION_DAYS} days by default): of what was over before then, the rest is not known."
        )
    ui.label(text).classes("text-sm text-grey").mark("remembered")


def _hint(asked: Asked, found: Found) -> str:
    if found.evaluated is None:
        return "No window has been evaluated yet: a worker that seals does, 10 to 25 s after the first requests."
    if asked.status or asked.alert:
        return f"There are {len(found.incidents):,} others in it." if found.incidents else "There is no other either."
    return "Nothing was wrong, as far as the alerts know. A longer time may have some."


def _row(incident: Incident, found: Found, now: datetime) -> dict[str, Any]:
    return {
        "status": incident.status,
        "severity": incident.severity,
        "alert": incident.alert,
        "alert_href": to_alert(incident.fingerprint, incident.began if incident.ended else None),
        "where": labels(incident.labels),
        "began": f"{incident.began:%Y-%m-%d %H:%M:%S}",
        "minutes": minutes(incident, now),
        "summary": incident.summary,
        "changed": incident.changed,
        "told": told(incident, found.kept),
        "acted": acted(incident, found.silences, now),
    }


def minutes(incident: Incident, now: datetime) -> float:
    """How long it has fired, or did."""
    return ((incident.ended or now) - incident.began).total_seconds() / 60


def told(incident: Incident, kept: Kept | None) -> str:
    """Whether Alertmanager was told, or why not. kept: None where none is set."""
    if incident.told and kept is None:
        return "no Alertmanager is set"
    return "yes" if incident.told else alert_list.why_untold(incident) or "not yet"


def acted(incident: Incident, silences: Sequence[Silence] | None, now: datetime) -> str:
    """By whom, or what became of it without anybody."""
    if incident.status == "pending":
        return ""
    by = [each for each in silences or () if alert_story.in_force(each, incident, now)]
    said = [f"{'acknowledged' if alert_story.acknowledges(each) else 'silenced'} by {each.by}" for each in by]
    return ", ".join(dict.fromkeys(said)) or alert_story.outcome(incident, silences, now)
