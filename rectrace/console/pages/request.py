"""One request's journey: what `rectrace why` tells, laid out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace import telling
from rectrace.console import addresses, charts, layout, products, states, tables
from rectrace.console.flow import flow
from rectrace.console.products import Product
from rectrace.console.tables import Column, View
from rectrace.story import Candidate, StageLine, Story
from rectrace.telling import Told
from rectrace.terminal import labels, moment, number
from sinks.clickhouse.reader import Period, Reader
from sinks.clickhouse.rows import utc

NEAR: Final = timedelta(minutes=10)  # a request's window is not further from it
BESIDE: Final = timedelta(seconds=5)  # of requests beside it
INTERACTIONS: Final = 1_000
_CANDIDATES: Final = (
    Column("item", "item", linked=True),
    Column("title", "title"),
    Column("position", "served at", digits=0),
    Column("model_rank", "model rank", digits=0),
    Column("score", "score", digits=4),
    Column("sources", "sources"),
    Column("ended", "how it ended", wide=10),
    Column("sentence", "its story", wide=22),
)
_SOURCES: Final = (
    Column("source", "source"),
    Column("retrieved", "candidates", digits=0),
    Column("alone", "found by it alone", digits=0),
    Column("served", "served", digits=0),
)
_ENDS: Final = (
    Column("count", "not served", digits=0),
    Column("what", "how they ended", wide=12),
    Column("items", "for example"),
)
_VIOLATIONS: Final = (
    Column("rule", "rule", linked=True),
    Column("severity", "severity"),
    Column("item", "item"),
    Column("position", "position", digits=0),
    Column("values", "what the rule saw", wide=12),
)
_INTERACTIONS: Final = (
    Column("ts", "at (UTC)"),
    Column("kind", "kind"),
    Column("item", "item"),
    Column("position", "position", digits=0),
    Column("value", "value", digits=2),
)


@dataclass(frozen=True)
class Journey:
    """What is known of one request."""

    told: Told
    violations: list[dict[str, Any]]
    interactions: list[dict[str, Any]]


def register(pages: states.Pages) -> None:
    """`/requests/{request_id}`"""

    @ui.page("/requests/{request_id:path}")
    async def one(request: Request, request_id: str) -> None:
        view = View.of(request.query_params)
        with layout.page(request, f"Request {request_id}", "Requests"):

            def shown(answer: Journey | None) -> None:
                if answer is None:
                    states.nothing(
                        f"Nothing is known of request {request_id!r}.",
                        "It has not landed yet (that takes a second or two), is forgotten, or was never published.",
                    )
                else:
                    _Page(answer, view).show()

            await pages.show("Reading what its stages said", lambda reader: ask(reader, request_id), shown)


def ask(reader: Reader, request_id: str) -> Journey | None:
    """None: nothing is known of it."""
    told = telling.request(reader, request_id)
    if told is None:
        return None
    at = utc(told.story.at)
    violations = reader.violations(request_id, Period(at - NEAR, at + NEAR))
    return Journey(told, violations, reader.interactions(request_id, INTERACTIONS))


class _Page:
    """Lays out one answer."""

    def __init__(self, answer: Journey, view: View) -> None:
        self._answer, self._view = answer, view
        self._story = answer.told.story

    def show(self) -> None:
        """All of it, the answer first."""
        told = self._story
        _head(told)
        if told.n_served:
            layout.section("What was served")
            with ui.element("div").classes(products.GRID):
                for candidate in told.slate:
                    _card(candidate, self._answer.told.catalog.get(candidate.item, {}), self._item(candidate.item))
        _way(told)
        _ends(told)
        self._tables()
        with ui.expansion("Its events, as they landed", icon="data_object").classes("w-full"):
            for event in self._answer.told.events:
                text = json.dumps(event, indent=1, ensure_ascii=False, default=str)
                ui.label(text).classes("font-mono text-xs whitespace-pre-wrap break-all")

    def _tables(self) -> None:
        told = self._story
        if told.sources:
            layout.section("Sources")
            rows = [
                {"source": line.source, "retrieved": line.retrieved, "alone": line.alone, "served": line.served}
                for line in told.sources
            ]
            tables.small("sources", _SOURCES, rows)
        layout.section("Rules that found something wrong")
        if self._answer.violations:
            tables.small("violations", _VIOLATIONS, [_violation(row) for row in self._answer.violations])
        else:
            ui.label("None, of those in force when its window was sealed.").classes("text-grey")
        layout.section("What its user did with it")
        if self._answer.interactions:
            rows = [{**row, "ts": moment(row["ts"])} for row in self._answer.interactions]
            tables.small("interactions", _INTERACTIONS, rows)
        else:
            ui.label("Nothing that is known.").classes("text-grey")
        if told.candidates:
            layout.section("All candidates")
            tables.table(
                "candidates",
                _CANDIDATES,
                [self._row(candidate) for candidate in told.candidates],
                self._view,
                lambda view: addresses.to("/requests", told.request_id, sort=view.sort, find=view.find),
            )

    def _row(self, each: Candidate) -> dict[str, Any]:
        return {
            "item": each.item,
            "item_href": self._item(each.item),
            "title": each.title,
            "position": each.position or None,
            "model_rank": each.model_rank or None,
            "score": each.score,
            "sources": each.brought_by,
            "ended": each.ended,
            "sentence": each.sentence(),
        }

    def _item(self, item: str) -> str:
        """The item's page around the time of the request."""
        return addresses.to("/items", item, **_around(self._story, NEAR))


def in_short(journey: Journey, *, drawn: bool) -> None:
    """A request's journey where what it served is shown already; drawn: with a picture of it."""
    told = journey.told.story
    _head(told)
    _way(told, drawn=drawn)
    _ends(told)


def _way(told: Story, *, drawn: bool = True) -> None:
    if told.candidates and drawn:
        layout.section("Where its candidates went")
        ui.label("Filters run in order: a candidate has the reason of the first that dropped it.").classes(
            "text-sm text-grey"
        )
        with ui.element("div").classes("w-full overflow-x-auto"):
            ui.echart(charts.sankey(flow(told))).classes("min-w-[52rem] w-full h-[26rem]").mark("sankey")
    if told.stages:
        layout.section("How long its stages took")
        _waterfall(told)


def _ends(told: Story) -> None:
    if told.ends():
        layout.section("How what was not served ended")
        rows = [{"count": end.count, "what": end.what, "items": " ".join(end.items)} for end in told.ends()]
        tables.small("ends", _ENDS, rows)


def _around(told: Story, near: timedelta) -> dict[str, str]:
    """`from` and `to` so far from the request."""
    at = utc(told.at)
    return addresses.Span("", "", at - near, at + near).fixed


def _head(told: Story) -> None:
    bad = bool(told.statuses) or not told.responded
    with states.card("red" if bad else "green"):
        ui.label(told.headline()).classes("text-lg font-bold").mark("headline")
        for warning in told.warnings():
            ui.label(warning).classes("text-red-600")
        ui.label(" ".join(filter(None, [moment(told.at), f"at {told.placement}" if told.placement else ""])))
        with ui.row().classes("gap-x-4 gap-y-1"):
            if told.user_id:
                ui.link(f"user {told.user_id}", addresses.to("/requests", user=told.user_id, from_="now-2d"))
            if told.placement:
                beside = _around(told, BESIDE)
                ui.link("requests beside it", addresses.to("/requests", placement=told.placement, **beside))
            ui.link("compare it with another", addresses.to("/compare", left=told.request_id))
        if named := labels(told.segments, told.experiments):
            ui.label(named)
        if told.closed:
            ui.label(f"closed: {', '.join(told.closed)}").classes("text-grey")


def _card(candidate: Candidate, entry: Mapping[str, Any], address: str) -> None:
    """One served item: what the model thought of it, and what moved it."""
    known = {name: entry.get(name) for name in ("brand", "category", "price")}
    with products.card(Product(candidate.position, candidate.item, candidate.title, **known), address):
        if entry.get("available") is False:
            ui.label("not available now, says the catalogue").classes("text-xs text-red-600")
        if candidate.model_rank:
            arrow, colour = products.places(candidate.model_rank - candidate.position)
            ui.label(f"model rank {candidate.model_rank} {arrow}".rstrip()).classes(f"text-sm {colour}")
            ui.label(f"score {number(candidate.score, 3)}").classes("text-xs text-grey")
        else:
            ui.label("not scored").classes("text-sm text-grey")
        for move in candidate.moves:
            ui.label(f"{move.action} {move.rule_id}").classes("text-xs rounded px-1 bg-amber-500/20 break-all")
        ui.label(candidate.brought_by).classes("text-xs text-grey")


def _waterfall(told: Story) -> None:
    """One bar an event, from when it began to when it was done, on one scale."""
    spans = [(line, *_span(line)) for line in told.stages]
    first, last = min(begin for _, begin, _ in spans), max(end for _, _, end in spans)
    scale = max(last - first, 1e-9)
    columns = "grid-cols-[minmax(6rem,9rem)_1fr_auto] sm:grid-cols-[14rem_1fr_auto]"
    with ui.element("div").classes(f"w-full grid gap-y-1 gap-x-2 text-sm items-center {columns}"):
        for line, begin, end in spans:
            name = line.stage if line.component == line.stage else f"{line.stage} · {line.component}"
            ui.label(name + (f" (attempt {line.attempt})" if line.attempt else "")).classes("break-words")
            bad = line.status != "ok"
            with ui.element("div").classes("relative h-4 bg-gray-500/10 rounded"):
                left, width = (begin - first) / scale * 100, (end - begin) / scale * 100
                bar = ui.element("div").classes(f"absolute h-4 rounded {'bg-red-600' if bad else 'bg-sky-600'}")
                bar.style(f"left: {left:.2f}%; width: max({width:.2f}%, 3px)")
            took = (
                f"{number(line.duration_ms)} ms" if line.duration_ms is not None else f"at {number(line.offset_ms)} ms"
            )
            ui.label(took).classes("text-right whitespace-nowrap")
            counts = (
                f"{number(line.n_in)} in, {number(line.n_out)} out"
                if line.n_in is not None
                else f"{number(line.n_out)} out"
            )
            drops = ", ".join(f"{reason} {count}" for reason, count in line.dropped.items())
            facts = [line.version, counts if line.n_out is not None else "", drops]
            facts += [f"{line.moved} adjusted"] if line.moved else []
            facts += [f"{line.status}{f': {line.error}' if line.error else ''}"] if bad else []
            if told_facts := "; ".join(filter(None, facts)):
                colour = "text-red-600" if bad else "text-grey"
                ui.label(told_facts).classes(f"col-span-3 text-xs pb-1 -mt-1 {colour}")


def _span(line: StageLine) -> tuple[float, float]:
    """ms after the request at which it began and ended: events tell of their end."""
    end = line.offset_ms or 0.0
    return end - (line.duration_ms or 0.0), end


def _violation(row: Mapping[str, Any]) -> dict[str, Any]:
    values = ", ".join(f"{name} = {value}" for name, value in sorted(row["values"].items()))
    href = addresses.to("/rules", row["rule"])
    return {**row, "values": values, "at": moment(row["at"]), "position": row["position"] or None, "rule_href": href}
