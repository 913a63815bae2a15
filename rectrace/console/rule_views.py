"""Parts that pages of rules have in common."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nicegui import ui

from rectrace import rule_sending, show_rules
from rectrace.backtesting import Tested
from rectrace.console import addresses, states, tables
from rectrace.console.access import Person
from rectrace.console.asking import beside
from rectrace.console.tables import Column
from rectrace.producing import Outgoing
from rectrace.rule_effects import Effects
from rectrace.rule_preview import Preview
from rectrace.terminal import labels, share
from schemas.rules import WINDOW
from sinks.clickhouse import rule_pages
from sinks.clickhouse.rows import utc

SLATES: Final = 6  # lists before and after
LONG: Final = 40  # items of a list that are shown; of others only those at fault
NOTE: Final = 1_000  # characters of a note
READ_BACK_S: Final = 30  # seconds until what was published is expected back from ClickHouse
NEAR: Final = timedelta(minutes=10)
_PLAIN, _AT_FAULT = "bg-gray-500/10", "bg-red-600/20 font-medium"
_GONE, _COME = "bg-red-600/20 line-through", "bg-green-600/20 font-medium"
_SEGMENTS: Final = (
    Column("segment", "segment"),
    Column("hit", "at fault", digits=0),
    Column("judged", "of", digits=0),
    Column("share", "share, %", digits=1),
)
_SLOTS: Final = (
    Column("lost", "slots lost", digits=0),
    Column("gained", "slots gained", digits=0),
    Column("net", "more or fewer", digits=0),
)


def code(text: str) -> None:
    """Text as it is written."""
    ui.label(text).classes(
        "w-full font-mono text-sm whitespace-pre-wrap break-words bg-gray-500/10 rounded p-3"
    )  # never as HTML


def diff(lines: Sequence[str]) -> None:
    """A unified diff."""
    colours = {"+": "bg-green-600/20", "-": "bg-red-600/20", "@": "text-grey"}
    with ui.column().classes("w-full gap-0 font-mono text-sm overflow-x-auto"):
        for line in lines[2:]:  # without the names
            ui.label(line or " ").classes(f"w-full px-2 whitespace-pre-wrap break-words {colours.get(line[:1], '')}")


def problem(text: str) -> None:
    """It cannot be done, and why; the page stays as it is."""
    with states.card("red").props('role="alert"'):
        ui.label(text).classes("whitespace-pre-line").mark("problem")


def preview(found: Preview) -> None:
    """How much a rule finds at fault, and the lists."""
    if found.failed:
        problem(f"It cannot be judged: {found.failed}")
        return
    if not found.read:
        states.nothing("No request of the last hour is sealed.", "That takes 10 to 25 s after the first ones.")
        return
    of = f", evenly taken of {found.there:,}" if found.there > found.read else ""
    with states.card("red" if found.hit else "green"):
        ui.label(f"Hits {found.hit:,} of {found.judged:,} requests ({found.share:.1%})").classes(
            "text-lg font-bold"
        ).mark("hits")
        items = f" {found.violations:,} places in all." if found.violations > found.hit else ""
        ui.label(f"Sealed requests of the hour until {found.until:%H:%M:%S} UTC{of}.{items}").classes("text-grey")
    for slate in found.slates:
        with ui.column().classes("w-full gap-1").mark("slate"):
            _head(slate.request_id, slate.at, slate.placement, slate.segments)
            if slate.values:
                ui.label(_values(slate.values)).classes("text-sm text-red-700")
            with ui.row().classes("w-full gap-1"):
                shown = [place for place in range(1, len(slate.items) + 1) if place <= LONG or place in slate.marked]
                for place in shown:
                    item, seen = slate.items[place - 1], slate.marked.get(place)
                    chip(found.catalog, item, place, _PLAIN if seen is None else _AT_FAULT, _values(seen or {}))
                _more(len(slate.items) - len(shown))


def effects(found: Effects, rule: str) -> None:
    """What a rule that acts does to a sample of lists."""
    if found.failed:
        problem(f"It cannot be applied: {found.failed}")
        return
    if not found.requests:
        states.nothing(
            "No answered request of that time with a list that rules could arrange.",
            "Rules act on the list that scoring, ordering or reranking hands to business logic.",
        )
        return
    with states.card("grey"):
        ui.label(
            f"Changes {len(found.changed):,} of {found.requests:,} sampled lists: {found.moved:,} of {found.slots:,} "
            "places hold another item"
        ).classes("text-lg font-bold").mark("effects")
        ui.label(f"It picks a candidate in {found.picked:,} of them.")
        for (kind, other), times in found.conflicts.most_common(5):
            ui.label(f"In conflict with {other} ({kind}) over {times:,} candidates.").classes("text-amber-700")
        ui.label(
            "The lists as scoring and ordering left them, arranged by the rules of now with it and without it. By the "
            f"rules of now {share(found.alike / found.slots if found.slots else None)} of the places hold what was "
            "really served; the others hold what was put in after the rules, or what other rules did then."
        ).classes("text-sm text-grey")
    with ui.row().classes("w-full gap-6 items-start"):
        for name in ("brand", "category"):
            _slots(f"slots-{name}", name, found.by(name), lambda value: "")
        both = [(item, found.lost[item], found.gained[item]) for item in found.lost | found.gained]
        both.sort(key=lambda each: (-abs(each[2] - each[1]), each[0]))
        _slots("slots-item", "item", both, lambda item: addresses.to("/items", item), found.catalog)
    for slate in found.changed[:SLATES]:
        request = slate.request
        with ui.column().classes("w-full gap-1").mark("changed"):
            _head(request.request_id or "", request.at, request.placement or "", request.segments)
            for name, items, there, colour in (
                ("without", slate.before, slate.after, _GONE), ("with it", slate.after, slate.before, _COME),
            ):  # fmt: skip
                with ui.row().classes("w-full gap-1 items-center"):
                    ui.label(name).classes("w-16 text-sm text-grey")
                    for place, item in enumerate(items[:LONG], 1):
                        ring = " ring-2 ring-amber-600" if item in slate.picked else ""
                        chip(found.catalog, item, place, f"{_PLAIN if item in there else colour}{ring}")
                    _more(len(items) - LONG)
    if found.changed:
        ui.label(f"Ringed: what {rule} picks. Red: loses its slot. Green: gains one.").classes("text-sm text-grey")


def backtest(tested: Tested | None) -> None:
    """How often a rule would have fired, and where."""
    if tested is None:
        states.nothing("No sealed request in that time.", "A longer time may have some.")
        return
    found = tested.found
    if found.failed:
        problem(f"It cannot be judged: {found.failed}")
        return
    span = f"{tested.first:%Y-%m-%d %H:%M:%S} to {tested.end:%Y-%m-%d %H:%M:%S} UTC"
    with states.card("red" if found.fired else "green"):
        said = show_rules.firing(found)
        often = ", if every week is like that time" if found.fired else ""
        ui.label(f"{said[:1].upper()}{said[1:]}{often}").classes("text-lg font-bold").mark("fired")
        items = f", {found.violations:,} items" if found.rule.scope == "item" else ""
        ui.label(f"At fault in {found.hit:,} of {found.judged:,} requests ({found.share:.1%}){items}.").mark("at-fault")
        if found.rule.severity == "page":
            ui.label(f"Each calls somebody: {show_rules.often(found.a_week)} pages a week.")
        ui.label(f"{tested.requests:,} sealed requests from {span}").classes("text-grey")
    if found.segments:
        rows = [
            {"segment": each.segment, "hit": each.hit, "judged": each.judged, "share": each.share * 100}
            for each in found.segments
        ]
        ui.label("Segments with clearly more than their part:").classes("font-medium")
        tables.small("segments", _SEGMENTS, rows)
    if found.examples:
        with ui.row().classes("gap-x-3 gap-y-1"):
            ui.label("For example")
            for each in found.examples:
                ui.link(each, addresses.request(each)).classes("break-all")


def _slots(
    marker: str,
    title: str,
    rows: Iterable[tuple[str, int, int]],
    address: Callable[[str], str],
    catalog: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    told = [
        {
            "what": f"{name} {(catalog or {}).get(name, {}).get('title') or ''}".strip() or f"no {title}",
            "what_href": address(name), "lost": lost, "gained": gained, "net": gained - lost,
        }
        for name, lost, gained in rows
    ]  # fmt: skip
    if told:
        tables.small(marker, [Column("what", title, linked=True), *_SLOTS], told[:10])


def chip(catalog: Mapping[str, Mapping[str, Any]], item: str, place: int, classes: str, seen: str = "") -> None:
    """One served item in little room. seen: what a rule saw of it."""
    title = str(catalog.get(item, {}).get("title") or item)
    with ui.column().classes(f"gap-0 rounded px-2 py-1 text-xs max-w-[12rem] {classes}") as made:
        made.props["title"] = f"{place}. {title} ({item})"
        ui.label(f"{place} {title}").classes("w-full truncate")
        if seen:
            ui.label(seen).classes("w-full break-words")


def _more(left_out: int) -> None:
    if left_out > 0:
        ui.label(f"and {left_out:,} more").classes("text-xs text-grey py-1")


def _head(request_id: str, at: datetime, placement: str, segments: Mapping[str, str]) -> None:
    with ui.row().classes("gap-x-3 gap-y-0 text-sm mt-2"):
        ui.link(f"{utc(at):%H:%M:%S} {request_id}", addresses.request(request_id)).classes("break-all")
        ui.label(f"{placement} {labels(dict(segments))}").classes("text-grey break-all")


def _values(seen: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sorted(seen.items()))


def confirm(
    person: Person, title: str, verb: str, lines: Sequence[str], act: Callable[[str, str], Awaitable[str]]
) -> ui.dialog:
    """Ask who and why, then act(who, why), which returns what is wrong; what is typed stays until it is done."""
    with ui.dialog() as dialog, ui.card().classes("w-full max-w-2xl gap-2"):
        ui.label(title).classes("text-lg font-bold")
        diff(lines)
        by = ui.input("Who", value=person.name).classes("w-full").props("dense").mark("by")
        by.set_enabled(not person.name)
        note = ui.input("Why (is kept with the rule)").classes("w-full").props(f"dense maxlength={NOTE}").mark("note")
        said = ui.label().classes("text-red-600 whitespace-pre-line").props('role="alert"').mark("said")

        async def confirmed() -> None:
            who, why = (by.value or "").strip(), (note.value or "").strip()[:NOTE]
            if not who or not why:
                said.text = "Say who you are." if not who else "Say why: whoever looks at this rule later will ask."
                return
            go.disable()
            said.text = "Sending …"
            try:
                said.text = await act(who, why)
            finally:
                go.enable()
            if not said.text:
                dialog.close()

        with ui.row().classes("w-full justify-end"):
            ui.button("Not yet", on_click=dialog.close).props("flat no-caps")
            go = ui.button(verb, on_click=confirmed).props("no-caps").mark("confirm")
    return dialog


class Sending:
    """Publishes, and shows when it is in force, here, where it is made."""

    def __init__(self, pages: states.Pages, rule: str) -> None:
        self._pages, self._rule = pages, rule
        self._place = ui.column().classes("w-full gap-2")

    async def send(self, records: Sequence[Outgoing], version: str) -> str:
        """What is wrong, or empty. version: what is in force then; empty: nothing."""
        problem = await beside(lambda: rule_sending.send(self._pages.settings, records))
        if not problem:
            self._told(datetime.now(UTC), version)
        return problem

    def _told(self, at: datetime, version: str) -> None:
        self._place.clear()
        with self._place, states.card("green"):
            what = "published" if version else "disabled"
            ui.label(f"{self._rule} is {what}, at {at:%H:%M:%S} UTC.").classes("font-bold").mark("sent")
            ui.label(
                f"It counts for the windows of {WINDOW} s that begin from then on; recommenders that follow the topic "
                "go by it with their next requests."
            )
            back = ui.label("Waiting to read it back from ClickHouse …").classes("text-grey").mark("back")
            ui.link("The rule", addresses.to("/rules", self._rule))

        async def read_back() -> None:
            for _ in range(READ_BACK_S):
                await asyncio.sleep(1)
                if back.is_deleted:
                    return
                try:
                    rows = await self._pages.ask(
                        "reading it back", lambda reader: rule_pages.history(reader, self._rule)
                    )
                except states.Failed as error:
                    back.text = str(error)
                    continue
                if rows and rows[0]["version"] == version and utc(rows[0]["record_at"]) > at - NEAR:
                    back.text = f"Read back from ClickHouse: {what} at {rows[0]['record_at']:%H:%M:%S} UTC by " + (
                        rows[0]["by"] or "nobody named"
                    )
                    return
            back.text = "It is in Kafka, and not in ClickHouse yet: does a worker run? The worker writes the history."

        ui.timer(0.1, read_back, once=True)
