"""What is going on now. It looks again every few seconds, as long as somebody can see it."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from nicegui import events, ui
from starlette.requests import Request

from rectrace.console import addresses, charts, layout, live_story, states, tables
from rectrace.console.live_story import Live
from rectrace.console.pages.alerts import BEHIND, to_alert
from rectrace.console.sharing import Shared
from rectrace.console.tables import Column
from rectrace.terminal import labels

EVERY: Final = 5.0  # seconds
REST: Final = 30.0  # seconds at most: after a slow answer it waits as long as that took
OLD_S: Final = 60  # seconds after which what is sealed is old
# What the browser tells of the page: whether it is hidden. At once, because it may have been opened behind others.
_WATCH: Final = """
document.addEventListener("visibilitychange", () => emitEvent("page_hidden", document.hidden));
emitEvent("page_hidden", document.hidden);
"""
_STOPPED: Final = "Stopped while nobody sees it."
_TONES: Final = {"bad": "text-red-600", "good": "text-green-600", "": ""}
_MARKS: Final = " ".join(filter(None, _TONES.values()))
_FIRING: Final = (
    Column("severity", "severity", state=True, good=("ticket", "info")),
    Column("alert", "alert", linked=True),
    Column("where", "where", wide=9),
    Column("began", "since (UTC)"),
    Column("summary", "what is wrong", wide=18),
    Column("changed", "what changed", wide=14),
)
_FUNNEL: Final = (
    Column("stage", "stage"),
    Column("component", "component"),
    Column("taken", "in", digits=1),
    Column("passed", "out", digits=1),
    Column("passed_before", "out before", digits=1),
    Column("yield", "yield, %", digits=1),
    Column("yield_before", "before, %", digits=1),
    Column("failed", "failed, %", digits=1),
)
_SOURCES: Final = (
    Column("source", "source"),
    Column("retrieved", "candidates", digits=1),
    Column("served", "served", digits=2),
    Column("yield", "yield, %", digits=1),
    Column("yield_before", "before, %", digits=1),
)
_SEGMENTS: Final = (
    Column("segment", "segment", linked=True),
    Column("placement", "placement"),
    Column("lost", "lost", digits=1),
    Column("requests", "requests", digits=0),
    Column("bad", "bad, %", digits=1),
    Column("others", "others, %", digits=1),
)
_RULES: Final = (
    Column("state", "", state=True, good=("",)),
    Column("rule", "rule", linked=True),
    Column("found", "requests", digits=0),
    Column("share", "share, %", digits=1),
    Column("share_before", "before, %", digits=1),
    Column("example1", "for example", linked=True),
    Column("example2", "", linked=True),
    Column("severity", "severity"),
)


def register(pages: states.Pages) -> None:
    """`/`"""
    shared: Shared[Live | None] = Shared(EVERY - 1)

    @ui.page("/")
    async def live(request: Request) -> None:
        placement = request.query_params.get("placement", "").strip()
        with layout.page(request, f"Live: {placement}" if placement else "Live", "Live"):
            view = _View(pages, shared, placement)
            await view.start()


class _View:
    """One person's page."""

    def __init__(self, pages: states.Pages, shared: Shared[Live | None], placement: str) -> None:
        self._pages, self._shared, self._placement = pages, shared, placement
        self._asking = False
        self._shown: _Shown | None = None
        self._last: Live | None = None
        self._said = ui.label().classes("text-sm text-grey").mark("said")
        self._problem = states.card("red").props('role="alert"').mark("problem")
        with self._problem:
            self._why = ui.label().classes("whitespace-pre-line")
        self._problem.set_visibility(False)
        self._place = ui.column().classes("w-full gap-4")
        with self._place:
            states.waiting("Counting the newest minute …")

    async def start(self) -> None:
        """Ask now, and then again and again."""
        try:
            await ui.context.client.connected()
        except TimeoutError:  # a program, not a browser
            return
        self._timer = ui.timer(EVERY, self.refresh)
        ui.on("page_hidden", self._hide)
        ui.run_javascript(_WATCH)

    async def refresh(self) -> None:
        """The next question only after the last answer, and not at once after a slow one."""
        if self._asking:
            return
        self._asking = True
        try:
            begun = time.monotonic()
            await self._ask()
            took = time.monotonic() - begun
            if took > EVERY:
                await asyncio.sleep(min(took, REST))
        finally:
            self._asking = False

    async def _hide(self, event: events.GenericEventArguments) -> None:
        self._timer.active = not event.args
        if self._timer.active:
            await self.refresh()
        else:
            self._said.set_text(_STOPPED)

    async def _ask(self) -> None:
        doing = "Counting the newest minute"
        asking = asyncio.ensure_future(
            self._shared.get(
                self._placement,
                lambda: self._pages.ask(doing, lambda reader: live_story.ask(reader, self._placement)),
            )
        )
        done, _ = await asyncio.wait([asking], timeout=states.SLOW_S)
        if not done and not self._place.is_deleted:
            self._tell(self._pages.busy)
        try:
            answer = await asking
        except states.Failed as error:
            self._tell(str(error))
            return
        if self._place.is_deleted:
            return
        self._problem.set_visibility(False)
        self._why.set_text("")
        self._show(answer)

    def _tell(self, problem: str) -> None:
        """What is shown stays, and is said to be old."""
        if self._place.is_deleted:
            return
        kept = f"What is below is of {self._last.until:%H:%M:%S} UTC. " if self._last else ""
        self._why.set_text(f"{problem}\n{kept}It is asked again every {EVERY:g} s.")
        self._problem.set_visibility(True)
        if not self._last and problem != self._pages.busy:
            self._place.clear()

    def _show(self, answer: Live | None) -> None:
        if answer is None:
            self._place.clear()
            self._shown = None
            with self._place:
                states.nothing("Nothing is sealed yet.", "Numbers come 10 to 25 s after the first requests.")
            return
        self._last = answer
        self._said.set_text(_freshness(answer) if self._timer.active else _STOPPED)
        if self._shown is None:
            self._place.clear()
            with self._place:
                self._shown = _Shown(self._placement, answer)
        self._shown.update(answer)


def _freshness(answer: Live) -> str:
    age = (datetime.now(UTC) - answer.until).total_seconds()
    old = f", {age:,.0f} s ago" if age >= 0 else ""
    against = f"against {answer.earlier}" if answer.earlier else "nothing earlier to compare with yet"
    late = " Numbers are old: does a worker run, and seal?" if age > OLD_S else ""
    return (
        f"Sealed until {answer.until:%Y-%m-%d %H:%M:%S} UTC{old}. The last minute before that, {against}; it looks "
        f"again every {EVERY:g} s.{late}"
    )


class _Shown:
    """What is laid out once, and filled anew with each answer: what somebody has reached with the keyboard stays."""

    def __init__(self, placement: str, first: Live) -> None:
        self._placement = placement
        self._choose(first)
        self._quiet = ui.label().classes("font-medium").mark("quiet")
        self._firing = tables.small("firing", _FIRING, [])
        self._tiles: dict[str, tuple[ui.label, ui.label]] = {}
        with ui.element("div").classes("w-full grid gap-3 grid-cols-2 sm:grid-cols-3 lg:grid-cols-6"):
            for figure in live_story.figures(first):
                with ui.card().classes("gap-0 p-3").props("flat bordered").mark(f"tile-{figure.name}"):
                    ui.label(figure.name).classes("text-sm text-grey")
                    value = ui.label().classes("text-2xl font-bold")
                    self._tiles[figure.name] = (value, ui.label().classes("text-sm text-grey"))
        with ui.element("div").classes("w-full grid gap-x-6 gap-y-2 grid-cols-1 lg:grid-cols-2 items-start"):
            with _column():
                layout.section("Where candidates go")
                self._chart = ui.echart(charts.funnel([])).classes("w-full h-80").mark("funnel")
                ui.label("A call of each component; a source takes none.").classes("text-sm text-grey")
                self._funnel = tables.small("funnel", _FUNNEL, [])
            with _column():
                layout.section("Sources")
                ui.label(
                    f"Candidates a request, of up to {live_story.SAMPLE} of the newest window; yield: what of them is "
                    "served."
                ).classes("text-sm text-grey")
                self._sources = tables.small("sources", _SOURCES, [])
                layout.section("Segments that lose most")
                self._no_segments = ui.label().classes("text-sm text-grey").mark("segments-said")
                self._segments = tables.small("segments", _SEGMENTS, [])
                layout.section("Rules that are violated")
                self._no_rules = ui.label().classes("text-sm text-grey").mark("rules-said")
                self._rules = tables.small("rules", _RULES, [])

    def _choose(self, first: Live) -> None:
        options = {"": "all placements", **{name: name for name in sorted({*first.placements, self._placement} - {""})}}
        choice = ui.select(
            options, value=self._placement, label="placement",
            on_change=lambda event: ui.navigate.to(addresses.to("/", placement=str(event.value or ""))),
        )  # fmt: skip
        choice.classes("w-48").props("dense").mark("placement")

    def update(self, answer: Live) -> None:
        """Fill in."""
        self._alerts(answer)
        for figure in live_story.figures(answer):
            value, before = self._tiles[figure.name]
            value.set_text(figure.value)
            value.classes(remove=_MARKS, add=_TONES[figure.tone])
            before.set_text(f"{figure.before} {answer.earlier}" if figure.before else "")
        self._chart.options.clear()
        self._chart.options.update(charts.funnel(answer.funnel))
        self._chart.update()
        tables.refill(self._funnel, answer.funnel)
        tables.refill(self._sources, answer.sources)
        self._worst(answer)
        self._violated(answer)

    def _alerts(self, answer: Live) -> None:
        rows = [
            {
                "severity": each.severity, "alert": each.alert, "alert_href": to_alert(each.fingerprint),
                "where": labels(each.labels), "began": f"{each.began:%m-%d %H:%M:%S}", "summary": each.summary,
                "changed": each.changed,
            }
            for each in answer.firing
        ]  # fmt: skip
        tables.refill(self._firing, rows)
        self._firing.set_visibility(bool(rows))
        until = answer.evaluated
        behind = until is None or datetime.now(UTC) - until > BEHIND
        none = "" if rows else "No alert fires. "
        late = f"{none}Alerts are evaluated until {until:%Y-%m-%d %H:%M:%S} UTC only." if until else ""
        self._quiet.set_text(late or "Alerts have not been evaluated yet." if behind else none)
        self._quiet.classes(remove=_MARKS, add=_TONES["bad" if behind else "good"])
        self._quiet.set_visibility(behind or not rows)

    def _worst(self, answer: Live) -> None:
        minutes = live_story.SEGMENTS.total_seconds() / 60
        time_ = _time(answer.until - live_story.SEGMENTS, answer.until)
        tables.refill(self._segments, [{**row, "segment_href": _requests_of(row, time_)} for row in answer.segments])
        self._segments.set_visibility(bool(answer.segments))
        self._no_segments.set_text(
            f"{'' if answer.segments else 'None by more than chance. '}The last {minutes:g} min; bad are no response, "
            "an empty one and the fallback; lost are those beyond what the other requests of the placement would lose."
        )

    def _violated(self, answer: Live) -> None:
        time_ = _time(answer.since, answer.until)
        rows = []
        for row in answer.rules:
            shown: dict[str, Any] = {name: row[name] for name in row if name != "examples"}
            shown["state"] = "new" if row["new"] else ""
            shown["rule_href"] = addresses.to("/requests", rule=row["rule"], placement=self._placement, **time_)
            for number, request_id in enumerate(row["examples"][:2], 1):
                shown |= {f"example{number}": request_id, f"example{number}_href": addresses.request(request_id)}
            rows.append(shown)
        tables.refill(self._rules, rows)
        self._rules.set_visibility(bool(rows))
        self._no_rules.set_text(
            f"Requests of the last minute. New: none {answer.earlier}." if rows and answer.earlier
            else "Requests of the last minute." if rows else "No rule has found a request at fault in the last minute."
        )  # fmt: skip


def _column() -> ui.column:
    """One that is no wider than it may be: tables scroll in it."""
    return ui.column().classes("w-full min-w-0 gap-2")


def _time(since: datetime, until: datetime) -> dict[str, str]:
    return addresses.Span("", "", since, until).fixed


def _requests_of(row: Mapping[str, Any], time_: Mapping[str, str]) -> str:
    """Requests of a segment, or of an arm of an experiment."""
    segment = str(row["segment"])
    arm = segment.removeprefix("experiment.") if segment.startswith("experiment.") else ""
    wanted = {"placement": str(row["placement"]), "segment": "" if arm else segment, "arm": arm}
    return addresses.to("/requests", **wanted, **time_)
