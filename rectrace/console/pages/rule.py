"""One rule: what it says, how it came to be so, what it finds and does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace import rule_effects, rule_publishing, rule_words
from rectrace.console import access, addresses, charts, layout, rule_views, states, tables, times
from rectrace.console.access import Person
from rectrace.console.addresses import Span
from rectrace.console.pages import rules
from rectrace.console.pages.item import step_of
from rectrace.console.tables import Column, View
from rectrace.rule_effects import Effects
from rectrace.terminal import share
from schemas.errors import Invalid
from schemas.rule_problems import RulesInvalid
from schemas.rules import Rule, decode_rule
from sinks.clickhouse import rule_pages
from sinks.clickhouse.reader import Period, Reader
from sinks.clickhouse.rows import utc

EXAMPLES: Final = 20  # requests
_HISTORY: Final = (
    Column("at", "at (UTC)"),
    Column("what", "what"),
    Column("by", "by"),
    Column("note", "why", wide=12),
    Column("version", "version"),
)
_FOUND: Final = (
    Column("at", "at (UTC)"),
    Column("request_id", "request", linked=True),
    Column("placement", "placement"),
    Column("user_id", "user"),
    Column("items", "items"),
    Column("values", "what the rule saw", wide=16),
)
_MOVED: Final = _FOUND[:4]


@dataclass(frozen=True)
class Asked:
    """The whole state of the page."""

    rule: str
    span: Span
    view: View

    def at(self, time: Mapping[str, str]) -> str:
        """The address of the same at another time."""
        return addresses.to("/rules", self.rule, **{"sort": self.view.sort, "find": self.view.find, **time})


@dataclass(frozen=True)
class _Answer:
    row: dict[str, Any]
    history: list[dict[str, Any]]
    step: int
    hits: list[dict[str, Any]]
    slots: list[dict[str, Any]]
    examples: list[dict[str, Any]]
    moved: list[dict[str, Any]]


def register(pages: states.Pages) -> None:
    """`/rules/{rule_id}`"""

    @ui.page("/rules/{rule_id}")
    async def one(request: Request, rule_id: str) -> None:
        with layout.page(request, f"Rule {rule_id}", "Rules"):
            span = addresses.span(request.query_params, datetime.now(UTC))
            asked = Asked(rule_id, span, View.of(request.query_params))
            times.chooser(asked.span, asked.at)
            who = access.person(request)
            answers: list[_Answer] = []

            def shown(answer: _Answer | None) -> None:
                if answer is None:
                    states.nothing(
                        f"No rule {rule_id!r} has been published.", "The list of rules has all that ever were."
                    )
                    ui.link("Rules", "/rules")
                else:
                    answers.append(answer)
                    _Page(pages, asked, who, answer).show()

            period = Period(span.since, span.until)
            await pages.show("Reading the rule", lambda reader: _ask(reader, rule_id, period), shown)
            rule = _rule(answers[0].row) if answers else None
            if rule is not None and rule.action is not None and not answers[0].row["deleted"]:
                acting: Rule = rule
                layout.section("Who loses slots to it")
                await pages.show(
                    "Arranging past lists with it and without it",
                    lambda reader: measured(reader, acting, period),
                    lambda found: rule_views.effects(found, rule_id),
                )


def _ask(reader: Reader, rule: str, period: Period) -> _Answer | None:
    rows = {row["id"]: row for row in rule_pages.listed(reader, period)}
    if rule not in rows:
        return None
    step = step_of((period.until - period.since) * 2)
    return _Answer(
        rows[rule],
        rule_pages.history(reader, rule),
        step,
        rule_pages.hits(reader, rule, period, step),
        rule_pages.slots(reader, rule, period, step) if rows[rule]["action"] else [],
        rule_pages.examples(reader, rule, period, EXAMPLES),
        rule_pages.moved(reader, rule, period, EXAMPLES) if rows[rule]["action"] else [],
    )


def in_force(reader: Reader) -> list[Rule]:
    """The rules of now that this version can read."""
    found = (_rule(row) for row in reader.rules(datetime.now(UTC)) if not row["deleted"])
    return [rule for rule in found if rule is not None]


def measured(reader: Reader, rule: Rule, period: Period) -> Effects:
    """What a rule does to a sample of the requests of a period."""
    sample = rule_effects.sample(reader, period)
    return rule_effects.compare(sample, rule_effects.catalog_of(reader, sample), in_force(reader), rule)


def _rule(row: Mapping[str, Any]) -> Rule | None:
    try:
        return decode_rule(None, str(row["rule"]).encode())
    except Invalid:  # published by a newer version
        return None


class _Page:
    """Lays out one answer."""

    def __init__(self, pages: states.Pages, asked: Asked, who: Person, answer: _Answer) -> None:
        self._pages, self._asked, self._who, self._answer = pages, asked, who, answer
        self._row = answer.row
        self._rule = _rule(answer.row)

    def show(self) -> None:
        """All of it, what it says first."""
        self._head()
        self._buttons()
        layout.section("As it is written")
        rule_views.code(rule_publishing.text({**self._row, "deleted": False}))
        self._numbers()
        self._examples()
        self._history()

    def _head(self) -> None:
        row = self._row
        state = rules.state(row, datetime.now(UTC))
        with states.card("grey" if state != "ok" else "red" if row["hit"] and row["action"] == "" else "green"):
            ui.label(self._rule.message if self._rule else "Written by a newer version of rectrace").classes(
                "text-lg font-bold"
            )
            for sentence in self._sentences():
                ui.label(sentence).mark("sentence")
            facts = f"of {row['owner']} · {row['severity']} · version {row['versions']} ({row['version'][:7]})"
            when = f"in force since {row['at']:%Y-%m-%d %H:%M:%S} UTC" if state == "ok" else state
            ui.label(f"{facts} · {when}").classes("text-grey").mark("facts")
            if self._rule and self._rule.runbook:
                ui.link("Its runbook: what to do when it fires", self._rule.runbook, new_tab=True).classes("break-all")

    def _sentences(self) -> list[str]:
        try:
            return rule_words.sentences(self._rule) if self._rule else []
        except RulesInvalid as invalid:
            return [f"It cannot be judged: {problem}" for problem in invalid.problems]

    def _buttons(self) -> None:
        name, off = self._asked.rule, bool(self._row["deleted"])
        with ui.row().classes("w-full items-center gap-2") as row:
            ui.button(
                "Edit and put in force" if off else "Edit", icon="edit",
                on_click=lambda: ui.navigate.to(f"{addresses.to('/rules', name)}/edit"),
            ).props("dense no-caps")  # fmt: skip
            if not self._who.editor:
                ui.label("Publishing and disabling takes an editor; you may try changes out.").classes("text-grey")
        if off or not self._who.editor:
            return
        sending = rule_views.Sending(self._pages, name)

        async def disable(by: str, note: str) -> str:
            topic = self._pages.settings.topics.rules
            return await sending.send(rule_publishing.disabling(topic, [name], by, note), "")

        lines = rule_publishing.changes(self._row, {**self._row, "deleted": True})
        dialog = rule_views.confirm(self._who, f"Take {name} out of force?", "Disable", lines, disable)
        with row:
            ui.button("Disable", icon="block", on_click=dialog.open).props("dense no-caps outline color=negative").mark(
                "disable"
            )

    def _numbers(self) -> None:
        row, step = self._row, self._answer.step
        hits, slots = self._answer.hits, self._answer.slots
        if row["action"] in ("", "exclude"):
            layout.section("Requests at fault over time")
            ui.label(f"{row['hit']:,} of {row['judged']:,} requests that it judged").classes("text-grey").mark("hits")
            if hits:
                self._chart("requests at fault", hits, "hit", step)
        if row["action"]:
            layout.section("What it does to what is served")
            told = f"It moved or took out candidates of {row['requests']:,} requests"
            taken = f"holds {row['slots']:,} served slots ({share(row['slot_share'])} of all)"
            ui.label(f"{told}, {taken}; {row['conflicts']:,} conflicts, of which it lost {row['lost']:,}.").classes(
                "text-grey"
            ).mark("pressure")
            if slots:
                self._chart("served slots", slots, "slots", step)

    def _chart(self, name: str, series: Sequence[Mapping[str, Any]], column: str, step: int) -> None:
        known = {utc(row["at"]): row[column] for row in series}
        first, last = min(known), max(known)
        every = [first + timedelta(seconds=step * n) for n in range(int((last - first).total_seconds()) // step + 1)]
        options = charts.over_time(every, {name: [known.get(at, 0) for at in every]}, "", first)
        ui.echart(options).classes("w-full h-56").mark(f"chart-{column}")

    def _examples(self) -> None:
        answer, asked = self._answer, self._asked
        if answer.examples:
            layout.section("Newest requests at fault")
            tables.table(
                "examples", _FOUND, [_example(row) for row in answer.examples], asked.view,
                lambda view: replace(asked, view=view).at(asked.span.query),
            )  # fmt: skip
            ui.link("all of them", addresses.to("/requests", rule=asked.rule, **asked.span.query))
        elif self._row["action"] in ("", "exclude"):
            judged = self._row["judged"]
            states.nothing(
                "No request is at fault in that time." if judged else "It has judged no request of that time.",
                "A longer time may have some." if judged else "It is judged when it is sealed, 10 to 25 s later.",
            )
        if answer.moved:
            layout.section("Newest requests that it moved something in")
            tables.small("moved", _MOVED, [_found(row) for row in answer.moved])

    def _history(self) -> None:
        layout.section("History")
        history = self._answer.history
        rows = [
            {
                "at": f"{row['record_at']:%Y-%m-%d %H:%M:%S}", "by": row["by"] or "-", "note": row["note"] or "-",
                "what": "disabled" if row["deleted"] else "published", "version": row["version"][:7] or "-",
            }
            for row in history
        ]  # fmt: skip
        tables.small("history", _HISTORY, rows)
        for newer, older in pairwise(history):
            if lines := rule_publishing.changes(older, newer):
                who = f" by {newer['by']}" if newer["by"] else ""
                title = f"{newer['record_at']:%Y-%m-%d %H:%M:%S}{who}: what changed"
                with ui.expansion(title, icon="difference").classes("w-full"):
                    rule_views.diff(lines)


def _found(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": f"{row['at']:%Y-%m-%d %H:%M:%S}",
        **{name: row[name] for name in ("request_id", "placement", "user_id")},
        "request_id_href": addresses.request(row["request_id"]),
    }


def _example(row: Mapping[str, Any]) -> dict[str, Any]:
    items = [f"{item} at {position}" for position, item, _ in row["found"] if item]
    seen = dict.fromkeys(", ".join(f"{k} = {v}" for k, v in sorted(values.items())) for _, _, values in row["found"])
    return {**_found(row), "items": ", ".join(items), "values": "; ".join(seen)}
