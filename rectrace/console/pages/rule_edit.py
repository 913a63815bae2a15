"""Write a rule: check it as it is typed, try it on what was served, publish it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace import backtesting, rule_drafts, rule_effects, rule_preview, rule_publishing
from rectrace.backtesting import Tested
from rectrace.console import access, layout, rule_views, states
from rectrace.console.access import Person
from rectrace.console.pages import rule as one_rule
from rectrace.console.rule_editor import Editor
from rectrace.rule_drafts import Checked
from schemas.rules import Active, Rule, content_hash
from sinks.clickhouse import rule_pages
from sinks.clickhouse.judged import Judged
from sinks.clickhouse.reader import Period, Reader

AT_ONCE: Final = 2  # backtests of a console: each reads for as long as it takes
BATCH: Final = 2_000  # requests: so many are read within the limits of one question
SPANS: Final = {3_600: "1 hour", 6 * 3_600: "6 hours", 86_400: "1 day", 2 * 86_400: "2 days"}
BACK: Final = timedelta(minutes=15)  # of the lists before and after
NAMED: Final = timedelta(hours=1)  # in which what rules can name was seen


class Cancelled(states.Failed):
    """Somebody does not want to know any more."""


@dataclass
class Trial:
    """A backtest on its way. done, total: requests."""

    done: int = 0
    total: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def tell(self, requests: int) -> None:
        """So many more are done. Raises Cancelled."""
        self.done += requests
        if self.stop.is_set():
            raise Cancelled("Cancelled.")


def register(pages: states.Pages) -> None:
    """`/rules/new`, `/rules/{rule_id}/edit`"""
    room = asyncio.Semaphore(AT_ONCE)

    @ui.page("/rules/new")
    async def new(request: Request) -> None:
        with layout.page(request, "New rule", "Rules"):
            page = _Page(pages, access.person(request), room, "", "", "")
            await page.learn()

    @ui.page("/rules/{rule_id}/edit")
    async def edit(request: Request, rule_id: str) -> None:
        with layout.page(request, f"Edit {rule_id}", "Rules"):
            rows: list[dict[str, Any]] = []

            def shown(history: list[dict[str, Any]]) -> None:
                rows.extend(row for row in history if not row["deleted"])
                if not rows:
                    states.nothing(f"No rule {rule_id!r} has been published.", "“New rule” writes one.")
                    ui.link("New rule", "/rules/new")

            await pages.show("Reading the rule", lambda reader: rule_pages.history(reader, rule_id), shown)
            if rows:
                text, version = rule_publishing.text(rows[0]), rows[0]["version"]
                page = _Page(pages, access.person(request), room, rule_id, text, version)
                await page.learn()


def backtest(reader: Reader, database: str, rule: Rule, period: Period, trial: Trial) -> Tested | None:
    """Judge what is sealed of a period; None if nothing is. Raises Unavailable, Cancelled."""
    history = backtesting.History(reader, reader.made(Judged), database, BATCH)
    found = history.batches(period)
    if not found:
        return None
    trial.total = sum(batch.requests for batch in found)
    tested = backtesting.run(history, [rule_effects.always(rule)], found, trial.tell)
    first, end = found[0].first, found[-1].end
    (told,) = tested.found((end - first).total_seconds())
    return Tested(told, first, end, tested.requests)


class _Page:
    """One text and what is tried with it. version: what the text began from; empty: nothing."""

    def __init__(
        self, pages: states.Pages, who: Person, room: asyncio.Semaphore, rule: str, text: str, version: str
    ) -> None:
        self._pages, self._who, self._room, self._rule, self._version = pages, who, room, rule, version
        if not rule:
            self._templates()
        self._editor = Editor(text, rule, self._checked)
        self._buttons()
        self._sent = ui.column().classes("w-full gap-3")
        self._result = ui.column().classes("w-full gap-3")
        self._trial: Trial | None = None
        ui.context.client.on_delete(self._leave)

    async def learn(self) -> None:
        """What can be named; without an answer, what always can."""
        self._editor.know([])
        client = ui.context.client
        try:
            await client.connected()
            if self._editor.text:
                await self._editor.check()
            now = datetime.now(UTC)
            found = await self._pages.ask(
                "reading names", lambda reader: rule_pages.names(reader, Period(now - NAMED, now))
            )
            self._editor.know(found)
        except states.Failed as error:
            with self._result:
                rule_views.problem(f"Names of attributes and segments cannot be offered. {error}")
        except TimeoutError:  # a program, not a browser
            return

    def _templates(self) -> None:
        ui.label("Begin with what it should do; then say of what, in the line `when`.").classes("text-grey")
        with ui.row().classes("gap-2"):
            for name, text in rule_drafts.TEMPLATES.items():
                ui.button(name, on_click=lambda text=text: self._begin(text)).props("dense no-caps outline").mark(
                    f"template-{name.split()[-1]}"
                )

    async def _begin(self, text: str) -> None:
        """A template, in place of nothing or of another; what somebody has typed is asked about."""
        there = self._editor.text.strip()
        if there and there not in {each.strip() for each in rule_drafts.TEMPLATES.values()}:
            with ui.dialog() as dialog, ui.card():
                ui.label("This replaces what is in the editor.")
                with ui.row():
                    ui.button("Keep it", on_click=lambda: dialog.submit(False)).props("flat no-caps")
                    ui.button("Replace", on_click=lambda: dialog.submit(True)).props("no-caps")
            if not await dialog:
                return
        self._editor.replace(text)

    def _buttons(self) -> None:
        with ui.row().classes("w-full items-center gap-2"):
            self._button("Preview on the last hour", "visibility", self._preview, "preview")
            self._effect = self._button("Before and after", "swap_vert", self._effects, "effects")
            self._test = self._button("Backtest over", "history", self._backtest, "backtest")
            self._span = ui.select(dict(SPANS), value=3_600).props('dense options-dense aria-label="Backtest over"')
            self._span.mark("span")
            ui.space()
            if self._who.editor:
                self._button("Publish …", "publish", self._publish, "publish").props("unelevated", remove="outline")
            else:
                ui.label("Publishing takes an editor; you may try everything else.").classes("text-grey")

    def _button(self, name: str, icon: str, act: Callable[[Rule], Awaitable[None]], marker: str) -> ui.button:
        async def acting() -> None:
            checked = self._editor.checked if self._editor.fresh else await self._editor.check()
            if checked.rule is None:
                ui.notify("First mend what is wrong with the text.", type="warning")
                return
            await act(checked.rule)

        return ui.button(name, icon=icon, on_click=acting).props("dense no-caps outline").mark(marker)

    def _checked(self, checked: Checked) -> None:
        rule = checked.rule
        self._effect.set_visibility(rule is not None and rule.action is not None)
        self._test.set_visibility(rule is None or rule.watches)
        self._span.set_visibility(rule is None or rule.watches)

    async def _preview(self, rule: Rule) -> None:
        database = self._pages.settings.database
        period = rule_preview.last_hour(datetime.now(UTC))
        if not rule.watches:
            await self._effects(rule)
            return
        await self._try(
            rule,
            "Judging the last hour",
            lambda reader: rule_preview.preview(reader, database, rule_effects.always(rule), period),
            rule_views.preview,
        )

    async def _effects(self, rule: Rule) -> None:
        now = datetime.now(UTC)
        await self._try(
            rule,
            "Arranging past lists with it and without it",
            lambda reader: one_rule.measured(reader, rule, Period(now - BACK, now)),
            lambda found: rule_views.effects(found, rule.id),
        )

    async def _try(
        self, rule: Rule, doing: str, question: Callable[[Reader], Any], shown: Callable[[Any], object]
    ) -> None:
        """Ask, and show the answer below the editor; an error leaves everything else as it is."""
        place = self._place(rule)
        with place:
            states.waiting(f"{doing} …")
        try:
            answer = await self._pages.ask(doing, question)
        except states.Failed as error:
            answer, shown = str(error), rule_views.problem
        _fill(place, lambda: shown(answer))

    def _place(self, rule: Rule) -> ui.column:
        """Where the next answer about a rule goes; what was asked for before is not wanted any more."""
        self._leave()
        self._result.clear()
        with self._result:
            if rule.active != Active():
                ui.label("The time that it is in force for is left aside here.").classes("text-grey")
            return ui.column().classes("w-full gap-3")

    def _leave(self) -> None:
        if self._trial:
            self._trial.stop.set()

    async def _backtest(self, rule: Rule) -> None:
        place = self._place(rule)
        trial = self._trial = Trial()
        seconds = int(self._span.value or 3_600)
        now = datetime.now(UTC)
        period, database = Period(now - timedelta(seconds=seconds), now), self._pages.settings.database
        with place:
            said = ui.label("Looking what there is …").props('role="status"')
            bar = ui.linear_progress(0, show_value=False).classes("w-full")
            ui.button("Cancel", icon="close", on_click=trial.stop.set).props("dense no-caps outline").mark("cancel")

            def progress() -> None:
                if trial.total:
                    said.text = f"Judged {trial.done:,} of {trial.total:,} requests"
                    bar.value = trial.done / trial.total

            ui.timer(0.5, progress)
        if self._room.locked():
            said.text = f"{AT_ONCE} other backtests are running; this one waits for them."
        shown: Callable[[Any], object] = rule_views.backtest
        try:
            async with self._room:
                trial.tell(0)
                answer: Any = await self._pages.ask(
                    "backtesting", lambda reader: backtest(reader, database, rule, period, trial)
                )
        except states.Failed as error:
            answer, shown = str(error), rule_views.problem
        _fill(place, lambda: shown(answer))

    async def _publish(self, rule: Rule) -> None:
        topic = self._pages.settings.topics.rules
        self._sent.clear()
        try:
            row = await self._now(rule)
        except states.Failed as error:
            with self._sent:
                rule_views.problem(f"It is not known what is in force: {error}")
            return
        (change,) = rule_publishing.differences([rule], [row] if row else [])
        if change.what == "same":
            with self._sent:
                states.nothing("Nothing to publish: this is what is in force.")
            return
        seen = (row["version"], row["deleted"]) if row else None
        with self._sent:
            sending = rule_views.Sending(self._pages, rule.id)

        async def act(by: str, note: str) -> str:
            try:
                latest = await self._now(rule)
            except states.Failed as error:
                return str(error)
            if (latest and (latest["version"], latest["deleted"])) != seen:
                return "Somebody has published or disabled it meanwhile: close this and look at the difference again."
            problem = await sending.send(rule_publishing.publishing(topic, [rule], by, note), content_hash(rule))
            if not problem:
                self._version = content_hash(rule)
                self._editor.forget()
            return problem

        titles = {"new": "is new", "enabled": "was disabled, and is put in force again", "changed": "changes"}
        title = f"Publish {rule.id}: it {titles[change.what]}"
        if row and not row["deleted"] and row["version"] != self._version:
            title += (
                ". Attention: it is not what this text began from" if self._rule else ". A rule of that name is there"
            )
        with self._sent:
            rule_views.confirm(self._who, title, "Publish", change.lines, act).open()

    async def _now(self, rule: Rule) -> dict[str, Any] | None:
        rows = await self._pages.ask("reading the rules", lambda reader: reader.rules(datetime.now(UTC)))
        return next((row for row in rows if row["id"] == rule.id), None)


def _fill(place: ui.column, shown: Callable[[], object]) -> None:
    """Show it in place of what is there, unless the person has gone elsewhere."""
    if not place.is_deleted:
        place.clear()
        with place:
            shown()
