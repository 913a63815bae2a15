"""One alert: what shows it, what changed, who knows of it; acknowledge and silence it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nicegui import ui
from starlette.requests import Request

from rectrace import alert_list
from rectrace.alert_list import Incident
from rectrace.console import access, addresses, alert_story, charts, layout, states, tables, times
from rectrace.console.access import Person
from rectrace.console.addresses import BadAddress, Span
from rectrace.console.alert_story import Point
from rectrace.console.asking import beside
from rectrace.console.pages import alerts
from rectrace.console.pages.alerts import Found
from rectrace.console.tables import Column
from schemas.alerts import label_name
from schemas.errors import Unavailable
from schemas.parts import WINDOW_S
from sinks.clickhouse import incidents
from sinks.clickhouse.reader import Period, Reader
from sinks.silences import RETENTION_DAYS, Kept, Refused, Silence, Silences

DEFAULT_FROM: Final = "now-30d"
EVIDENCE: Final = timedelta(hours=1)  # at its end
WINDOWS: Final = 60  # of it, at most
BESIDE: Final = timedelta(hours=1)  # alerts of which one says what others would began no further from each other
TIMES: Final = {1: "1 h", 4: "4 h", 24: "1 d", 168: "7 d"}  # hours of a silence
_WINDOWS: Final = (
    Column("at", "window (UTC)"),
    Column("verdict", "verdict", state=True, good=("good", "in between")),
    Column("told", "what was measured", wide=14),
)
_EARLIER: Final = (
    Column("began", "began (UTC)", linked=True),
    Column("status", "status", state=True, good=("resolved", "pending")),
    Column("minutes", "lasted, min", digits=1),
    Column("summary", "what was wrong", wide=20),
    Column("changed", "what changed", wide=16),
    Column("acted", "acted on", wide=9),
)
_LINKS: Final = {
    "requests_url": "Requests of it", "dashboard_url": "Dashboard in Grafana", "runbook_url": "Runbook",
}  # fmt: skip


@dataclass(frozen=True)
class _Answer:
    found: Found  # of this fingerprint, in the time of the page
    shown: Incident | None
    beside: dict[str, str]  # fingerprints of alerts of about that time, by name
    points: list[Point]


def register(pages: states.Pages) -> None:
    """`/alerts/{fingerprint}`"""
    silences = alerts.of_settings(pages.settings)

    @ui.page("/alerts/{fingerprint}")
    async def one(request: Request, fingerprint: str) -> None:
        with layout.page(request, "Alert", "Alerts"):
            now = datetime.now(UTC)
            span = addresses.span(request.query_params, now, DEFAULT_FROM)
            began = _began(request.query_params)

            def question(reader: Reader) -> _Answer:
                found = alerts.find(reader, pages.settings, silences, span, fingerprint)
                shown = _chosen(found.incidents, began)
                if shown is None:
                    return _Answer(found, None, {}, [])
                until = shown.ended or now
                period = Period(max(shown.began - timedelta(seconds=WINDOW_S), until - EVIDENCE), until)
                others = incidents.changed(reader, Period(shown.began - BESIDE, shown.began + BESIDE), alerts.MOST)
                named = {change.state.name: change.state.fingerprint for each in others for change in each.changes}
                history = incidents.history(reader, shown.alert, fingerprint, period, WINDOWS)
                return _Answer(found, shown, named, alert_story.points(history))

            def shown(answer: _Answer) -> None:
                if answer.shown is None:
                    times.chooser(span, lambda time: addresses.to("/alerts", fingerprint, **time), times.LONGER)
                    states.nothing(f"Nothing is known of an alert {fingerprint!r} in that time.", _hint(answer.found))
                else:
                    _Page(answer, answer.shown, silences, access.person(request), now, span).show()

            await pages.show("Looking for the alert", question, shown)


def _began(query: Mapping[str, str]) -> int | None:
    given = query.get("began", "")
    if given and not (given.isdecimal() and len(given) < 12):
        raise BadAddress(f"began={given!r} is no time in seconds since the epoch, as the list of alerts gives it")
    return int(given) if given else None


def _chosen(found: Sequence[Incident], began: int | None) -> Incident | None:
    """The one that began then, else the one that fires, else the newest."""
    if began is not None:
        found = [each for each in found if int(each.began.timestamp()) == began]
    return max(found, key=lambda each: each.began, default=None)


def _hint(found: Found) -> str:
    others = "It may have been before: choose a longer time." if not found.incidents else "It began at another time."
    return f"{others} What was pending and never fired is not kept."


class _Page:
    """Lays out one alert."""

    def __init__(
        self, answer: _Answer, incident: Incident, silences: Silences, person: Person, now: datetime, span: Span
    ) -> None:
        self._answer, self._incident, self._found = answer, incident, answer.found
        self._silences, self._person, self._now, self._span = silences, person, now, span

    def show(self) -> None:
        """All of it, what is wrong first."""
        alerts.freshness(self._found, self._now)
        self._head()
        self._evidence()
        self._examples()
        layout.section("Who knows of it")
        place = ui.column().classes("w-full gap-2").mark("known")
        with place:
            self._known(self._found.kept)
        self._earlier()

    def _head(self) -> None:
        told = self._incident
        ui.page_title(f"{told.name} · rectrace")
        colour = {"firing": "red", "resolved": "green"}.get(told.status, "grey")
        with states.card(colour):
            ui.label(told.name).classes("text-lg font-bold break-words").mark("name")
            until = f" to {told.ended:%Y-%m-%d %H:%M:%S}" if told.ended else ""
            ui.label(
                f"{told.status} · {told.severity} · {'was' if told.ended else 'since'} {told.began:%Y-%m-%d %H:%M:%S}"
                f"{until} UTC, {alert_list.lasted(told, self._now)}"
            ).classes("text-red-600 font-medium" if told.status == "firing" else "text-grey").mark("state")
            for text in (told.summary, told.why and f"Ended: {told.why}."):
                if text:
                    ui.label(text)
            if told.changed:
                ui.label(f"What changed: {told.changed}").classes("font-medium").mark("changed")
            if told.description:
                ui.label(told.description).classes("text-grey")
            if told.status != "pending":
                self._told()
            with ui.row().classes("gap-x-4 gap-y-1"):
                for name, text in _LINKS.items():
                    if url := told.links.get(name):
                        ui.link(text, alerts.within(url))

    def _told(self) -> None:
        told = self._incident
        if told.inhibited_by:
            with ui.row().classes("items-baseline gap-x-1"):
                ui.label("Not told by itself: it is said by")
                self._other(told.inhibited_by)
        elif not told.told:
            ui.label("Nobody was told: it was seen too late.")
        elif self._found.kept is None:
            ui.label("Nobody was told: no Alertmanager is set (alerts.alertmanager).")
        if told.also:
            with ui.row().classes("items-baseline gap-x-2"):
                ui.label("It says also:")
                for name in told.also:
                    self._other(name)

    def _other(self, name: str) -> None:
        fingerprint = self._answer.beside.get(name)
        if fingerprint:
            ui.link(name, alerts.to_alert(fingerprint))
        else:
            ui.label(name).classes("font-medium")

    def _evidence(self) -> None:
        told, found = self._incident, self._answer.points
        layout.section("Evidence")
        ui.label(f"In its newest bad window: {alert_story.evidence(told.alert, told.figures)}").mark("evidence")
        if not found:
            return
        ui.label(
            f"Its last {len(found)} windows of {WINDOW_S} s with a verdict; figures are kept of bad ones."
        ).classes("text-sm text-grey")
        if any(each.value is not None for each in found):
            options = charts.evidence(found, alert_story.unit(told.alert))
            ui.echart(options).classes("w-full h-56").mark("windows")
        rows = [{"at": f"{each.at:%H:%M:%S}", "verdict": each.verdict, "told": each.told} for each in reversed(found)]
        with ui.expansion("Window by window").classes("w-full").props("dense"):
            tables.small("windows", _WINDOWS, rows)

    def _examples(self) -> None:
        if self._incident.examples:
            layout.section("Requests that show it")
            with ui.row().classes("gap-x-4 gap-y-1"):
                for request_id in self._incident.examples:
                    ui.link(request_id, addresses.request(request_id)).classes("id break-all")

    def _earlier(self) -> None:
        layout.section("The same alert at other times")
        times.chooser(
            self._span,
            lambda time: addresses.to("/alerts", self._incident.fingerprint, **time),
            times.LONGER,
        )
        others = [each for each in self._found.incidents if each.began != self._incident.began]
        if not others:
            states.nothing("It has not fired at another time in there.")
            return
        rows = [
            {
                "began": f"{each.began:%Y-%m-%d %H:%M:%S}",
                "began_href": alerts.to_alert(each.fingerprint, each.began),
                "status": each.status,
                "minutes": alerts.minutes(each, self._now),
                "summary": each.summary,
                "changed": each.changed,
                "acted": alerts.acted(each, self._found.silences, self._now),
            }
            for each in others
        ]
        tables.small("earlier", _EARLIER, rows)
        alerts.remembered(self._found)

    def _known(self, kept: Kept | None) -> None:
        if kept is None:
            states.nothing(
                "No Alertmanager is set, so nobody is told and nothing can be silenced.",
                "Name it in alerts.alertmanager (RECTRACE_ALERTS__ALERTMANAGER), for the worker and the console.",
            )
            return
        silencing = _Silencing(self._incident, self._silences, self._person)
        silencing.show(kept)


class _Silencing:
    """Who acknowledged or silenced an alert, and the form to do so."""

    def __init__(self, incident: Incident, silences: Silences, person: Person) -> None:
        self._incident, self._silences, self._person = incident, silences, person
        self._list = ui.column().classes("w-full gap-2")

    def show(self, kept: Kept) -> None:
        """What is known, and for editors the form."""
        with self._list:
            self._listed(kept)
        if self._person.editor:
            self._form()
        else:
            ui.label(
                "Acknowledging and silencing needs the right of an editor: sign in with the editors' token."
            ).classes("text-grey").mark("no-right")

    def _listed(self, kept: Kept) -> None:
        for problem in kept.problems:
            with states.card("red").props('role="alert"'):
                ui.label(f"{problem}.").mark("problem")
        labels = alert_story.sent(self._incident)
        matching = [each for each in kept.silences if each.matches(labels)]
        if not matching and not kept.problems:
            ui.label("Nobody has acknowledged or silenced it.").classes("text-grey").mark("nobody")
        for silence in matching:
            self._one(silence)
        ui.label(
            f"Alertmanager forgets a silence after its retention, {RETENTION_DAYS} days by default from its end."
        ).classes("text-sm text-grey")

    def _one(self, silence: Silence) -> None:
        active = silence.state == "active"
        with states.card("green" if active else "grey").mark(f"silence-{silence.state}"):
            what = "Acknowledged" if alert_story.acknowledges(silence) else "Silenced"
            ends = "until" if active else "ended" if silence.state == "expired" else "to"
            ui.label(f"{what} by {silence.by}").classes("font-medium")
            ui.label(
                f"{silence.starts:%Y-%m-%d %H:%M:%S}, {ends} {silence.ends:%Y-%m-%d %H:%M:%S} UTC ({silence.state})"
            )
            ui.label(silence.why.removeprefix(alert_story.ACKNOWLEDGED)).classes("whitespace-pre-line break-words")
            ui.label("of " + ", ".join(map(str, silence.matchers))).classes("text-sm text-grey break-words")
            if self._person.editor and silence.state != "expired":
                ui.button("End it", icon="notifications_active", on_click=lambda: self._end(silence)).props(
                    "flat dense no-caps"
                ).mark("end")

    def _form(self) -> None:
        kinds = {
            "acknowledge": "Acknowledge: exactly this alert",
            "silence": "Silence: all that have the labels chosen",
        }
        own = {label_name(name): value for name, value in self._incident.labels.items() if value}
        options = [f"{name}={value}" for name, value in {"alertname": self._incident.alert, **own}.items()]
        with ui.card().classes("w-full gap-2").props("flat bordered"):
            kind = ui.radio(kinds, value="acknowledge").props('dense aria-label="what to do"').mark("kind")
            chosen = ui.select(options, value=list(options), multiple=True, label="labels").props("dense use-chips")
            chosen.classes("w-full").mark("labels").bind_visibility_from(kind, "value", value="silence")
            with ui.row().classes("w-full items-end gap-x-3 gap-y-1"):
                hours = ui.select(TIMES, value=1, label="for").classes("w-24").props("dense").mark("hours")
                by = ui.input("who", value=self._person.name).classes("w-40").props("dense").mark("who")
                by.set_enabled(not self._person.name)
                why = ui.input("why").classes("grow min-w-[12rem]").props("dense maxlength=1000").mark("why")
            said = ui.label().classes("text-red-600").props('role="alert"').mark("said")

            async def submit() -> None:
                given = Given(kind.value, tuple(chosen.value or ()), int(hours.value), by.value or "", why.value or "")
                button.disable()
                try:
                    wanted = given.silence(self._incident, self._person, datetime.now(UTC))
                    problems = await beside(lambda: self._silences.add(wanted))
                    said.set_text("; ".join(f"Not everywhere: {each}" for each in problems))
                    why.set_value("")
                except (ValueError, Refused, Unavailable) as error:
                    said.set_text(f"Nothing was changed: {error}")
                    return
                finally:
                    button.enable()
                await self._again()

            button = ui.button("Acknowledge", icon="done", on_click=submit).props("dense no-caps").mark("submit")
            kind.on_value_change(lambda event: button.set_text(event.value.capitalize()))

    async def _end(self, silence: Silence) -> None:
        problems = await beside(lambda: self._silences.end(silence))
        if problems:
            ui.notify(f"It may still be in force: {'; '.join(problems)}", type="negative", multi_line=True)
        await self._again()

    async def _again(self) -> None:
        kept = await beside(self._silences.read)
        if not self._list.is_deleted:
            self._list.clear()
            with self._list:
                self._listed(kept)


@dataclass(frozen=True)
class Given:
    """What the form holds."""

    kind: str  # acknowledge or silence
    labels: tuple[str, ...]  # NAME=VALUE, of a silence
    hours: int
    by: str
    why: str

    def silence(self, incident: Incident, person: Person, now: datetime) -> Silence:
        """Raises ValueError for what is missing. Who is signed in by name is who it is, whatever the form says."""
        by, why = (person.name or self.by).strip(), " ".join(self.why.split())
        if not by:
            raise ValueError("say who you are")
        if not why:
            raise ValueError("say why: whoever is called next reads it")
        ends = now + timedelta(hours=self.hours)
        if self.kind == "acknowledge":
            why = f"{alert_story.ACKNOWLEDGED}{why}"
            return Silence(alert_story.exactly(incident), now, ends, by, why)
        if not self.labels:
            raise ValueError("choose at least one label: without any every alert would be silent")
        return Silence(alert_story.wider(self.labels), now, ends, by, why)
