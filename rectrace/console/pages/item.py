"""Why is this item not shown? What `rectrace item` tells, laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace import item_reach, telling
from rectrace.console import addresses, charts, layout, states, tables, times
from rectrace.console.addresses import Span
from rectrace.console.pages.requests import in_short
from rectrace.console.tables import Column, View
from rectrace.item_reach import SegmentLine
from rectrace.item_story import Asked, Ending, ItemStory
from rectrace.story import ending
from sinks.clickhouse.reader import Period, Reader, RequestFilter
from sinks.clickhouse.rows import utc

STEPS: Final = (10, 30, 60, 300, 900, 3_600, 10_800, 86_400)  # seconds; older outcomes are kept by the hour
BARS: Final = 60  # at most, of the time that is asked for and of that before it
KINDS: Final = 8  # of endings that the chart tells apart
EXAMPLES: Final = 20  # requests
NEWEST: Final = 500  # requests that are looked into for scores and rules
AMONG: Final = 5_000  # requests among which those are looked for
_ENDINGS: Final = (
    Column("what", "how it ended", wide=12),
    Column("now", "times", digits=0),
    Column("share", "share, %", digits=1),
    Column("before", "before", digits=0),
    Column("share_before", "share before, %", digits=1),
    Column("change", "change, points", digits=1),
    Column("mean_rank", "model rank", digits=1),
    Column("mean_score", "score", digits=3),
    Column("example", "for example", linked=True),
)
_SOURCES: Final = (
    Column("source", "source"),
    Column("now", "times", digits=0),
    Column("alone", "found by it alone", digits=0),
    Column("served", "served", digits=0),
    Column("share", "served of these, %", digits=1),
    Column("before", "times before", digits=0),
)
_SEGMENTS: Final = (
    Column("segment", "segment", linked=True),
    Column("requests", "requests", digits=0),
    Column("candidacies", "candidacies", digits=0),
    Column("reach", "of its requests, %", digits=1),
    Column("served", "served", digits=0),
    Column("survival", "of candidacies, %", digits=1),
    Column("survival_before", "before, %", digits=1),
    Column("mostly", "what was not served mostly was", wide=12),
)
_RULES: Final = (
    Column("rule", "rule", linked=True),
    Column("action", "what it did"),
    Column("times", "requests", digits=0),
    Column("served", "and served", digits=0),
    Column("example", "for example", linked=True),
)
_REQUESTS: Final = (
    Column("at", "at (UTC)"),
    Column("request_id", "request", linked=True),
    Column("placement", "placement"),
    Column("user_id", "user"),
    Column("position", "served at", digits=0),
    Column("status", "status", state=True),
)


@dataclass(frozen=True)
class Seen:
    """The whole state of the page."""

    item: str
    span: Span
    segment: str
    placement: str
    view: View

    @classmethod
    def of(cls, item: str, query: Mapping[str, str], now: datetime) -> "Seen":
        """From the page's address. Raises BadAddress."""
        segment = addresses.pair("segment", query.get("segment", "").strip())
        placement = query.get("placement", "").strip()
        return cls(item, addresses.span(query, now), segment, placement, View.of(query))

    def at(self, time: Mapping[str, str]) -> str:
        """The address of the same at another time."""
        query = {"segment": self.segment, "placement": self.placement, "sort": self.view.sort, "find": self.view.find}
        return addresses.to("/items", self.item, **{**query, **time})


@dataclass(frozen=True)
class _Answer:
    story: ItemStory
    series: list[dict[str, Any]]
    step: int
    by_segment: list[SegmentLine]
    segments: list[str] | None  # that outcomes are kept for; None: the one that is asked for is among them


@dataclass(frozen=True)
class _Traced:
    """What is read of traces, which takes longer."""

    requests: list[dict[str, Any]]
    need: str
    rules: list[dict[str, Any]]


def register(pages: states.Pages) -> None:
    """`/items` and `/items/{item}`"""

    @ui.page("/items")
    def items(request: Request) -> None:
        with layout.page(request, "Items", "Items"):
            states.nothing("Why is this item not shown?", "Type an item into the box above, and Enter.")

    @ui.page("/items/{item:path}")
    async def one(request: Request, item: str) -> None:
        with layout.page(request, f"Why is {item} not shown?", "Items"):
            asked = Seen.of(item, request.query_params, datetime.now(UTC))
            times.chooser(asked.span, asked.at)
            _form(asked, pages.settings.outcomes.segments)
            held: list[ItemStory] = []

            def shown(found: _Answer) -> None:
                held.append(found.story)
                _shown(asked, found)

            await pages.show("Counting how its candidacies ended", lambda reader: _ask(reader, asked), shown)
            if held and held[0].candidacies:
                await pages.show(
                    "Looking into its newest requests",
                    lambda reader: _trace(reader, asked, held[0]),
                    lambda found: _looked_into(asked, found),
                )


def _ask(reader: Reader, asked: Seen) -> _Answer:
    span = asked.span
    wanted = Asked(asked.item, asked.segment, asked.placement, span.since, span.until)
    story = telling.item(reader, wanted, until_now=span.until_now)
    period = Period(story.asked.since, story.asked.until)
    step = step_of(period.until - period.since)
    by_segment = item_reach.by_segment(reader.item_segments(asked.item, period, asked.placement))
    unknown = asked.segment and asked.segment not in {line.segment for line in by_segment}
    series = reader.item_series(asked.item, period, asked.segment, asked.placement, step)
    return _Answer(story, series, step, by_segment, reader.segments(_lately(reader, period)) if unknown else None)


def _trace(reader: Reader, asked: Seen, told: ItemStory) -> _Traced:
    lately = _lately(reader, Period(told.asked.since, told.asked.until))
    filters = RequestFilter(placement=asked.placement, item=asked.item, segment=asked.segment)
    where = (asked.item, lately, asked.segment, asked.placement, NEWEST)
    need = item_reach.need(reader.item_needs(*where), NEWEST)
    return _Traced(reader.requests(lately, filters, EXAMPLES), need, reader.item_rules(*where))


def _lately(reader: Reader, period: Period) -> Period:
    return item_reach.newest(reader.sealed_windows(period), period, AMONG)


def step_of(length: timedelta) -> int:
    """Seconds of a bar: the smallest step with which so long a time has no more than BARS."""
    least = max(length.total_seconds() / BARS, STEPS[0])
    return next((step for step in STEPS if step >= least), STEPS[-1])


def _form(asked: Seen, names: Sequence[str]) -> None:
    fields: dict[str, ui.input] = {}

    def search() -> None:
        given = {name: str(field.value or "").strip() for name, field in fields.items()}
        changed = replace(asked, segment=given["segment"], placement=given["placement"])
        ui.navigate.to(changed.at({name: given[name] for name in ("from", "to")}))

    with ui.row().classes("w-full items-end gap-x-3 gap-y-1"):
        texts = {
            "segment": asked.segment,
            "placement": asked.placement,
            "from": asked.span.given_from,
            "to": asked.span.given_to,
        }
        for name, text in texts.items():
            fields[name] = ui.input(name, value=text).on("keydown.enter", search).mark(f"ask-{name}")
            fields[name].classes("w-36").props("dense")
        fields["segment"].props(f'placeholder="{names[0]}=..."' if names else "disable")
        ui.button("Ask", icon="search", on_click=search).props("dense no-caps")


def _shown(asked: Seen, found: _Answer) -> None:
    told = found.story
    _verdict(told, found.segments)
    if found.series:
        layout.section(f"How its candidacies ended, each {_length(found.step)}")
        ui.echart(chart(found.series, utc(told.asked.since))).classes("w-full h-72").mark("over-time")
    if told.endings:
        layout.section("By reason, against as long a time before")
        tables.table(
            "endings", _ENDINGS, _endings(told), asked.view, lambda view: replace(asked, view=view).at(asked.span.query)
        )
    if found.by_segment:
        layout.section("By segment")
        lines = [_segment(asked, each) for each in found.by_segment]
        tables.small("segments", _SEGMENTS, lines)
    if told.sources:
        layout.section("By source")
        rows = [
            {"source": each.source, "now": each.now, "alone": each.alone, "served": each.served, "before": each.before,
             "share": each.served / each.now * 100 if each.now else None}
            for each in told.sources
        ]  # fmt: skip
        tables.small("sources", _SOURCES, rows)


def _looked_into(asked: Seen, found: _Traced) -> None:
    ui.label(f"Of the newest {AMONG:,} requests of that time:").classes("text-sm text-grey")
    if found.need:
        layout.section("What it would need")
        ui.label(found.need).mark("need")
    layout.section("Rules that touch it")
    if found.rules:
        tables.small("rules", _RULES, [_rule(row) for row in found.rules])
        ui.label(
            f"Moved or dropped: of its newest {NEWEST} requests with such a rule; at fault: where it was served."
        ).classes("text-sm text-grey")
    else:
        ui.label("None.").classes("text-grey")
    layout.section("Its newest requests")
    if found.requests:
        rows = [{**in_short(row), "at": f"{row['at']:%Y-%m-%d %H:%M:%S}"} for row in found.requests]
        tables.small("requests", _REQUESTS, rows)
    else:
        ui.label("None.").classes("text-grey")
    fixed = {**asked.span.query, "item": asked.item, "placement": asked.placement, "segment": asked.segment}
    ui.link("all of them", addresses.to("/requests", **fixed))


def _verdict(told: ItemStory, segments: Sequence[str] | None) -> None:
    with states.card({True: "green", False: "red", None: "grey"}[told.healthy]):
        ui.label(told.verdict()).classes("text-lg font-bold").mark("verdict")
        if told.sealed_until is None:
            ui.label("Nothing is sealed yet: counts come 10 to 25 s after the first requests.").classes("text-red-600")
        elif told.behind:
            ui.label(
                f"Sealed until {told.sealed_until:%Y-%m-%d %H:%M:%S}: what came later is not counted yet."
            ).classes("text-red-600")
        if told.available is False:
            ui.label("The catalogue says it is not available.").classes("text-red-600")
        for sentence in told.sentences():
            ui.label(sentence)
        if segments is not None:
            values = ", ".join(segments[:30]) or "none yet"
            ui.label(f"No outcomes are kept for {told.asked.segment!r}; there are {values}.").classes("text-red-600")


def _endings(told: ItemStory) -> list[dict[str, Any]]:
    return [_ending(each, compared=bool(told.candidacies_before)) for each in told.endings]


def _ending(each: Ending, *, compared: bool) -> dict[str, Any]:
    """compared: there were candidacies before."""
    example = each.examples[0] if each.examples else ""
    return {
        "what": each.what,
        "now": each.now,
        "share": each.share * 100,
        "before": each.before,
        "share_before": each.share_before * 100 if compared else None,
        "change": (each.share - each.share_before) * 100 if compared else None,
        "mean_rank": each.mean_rank,
        "mean_score": each.mean_score,
        "example": example,
        "example_href": addresses.request(example) if example else "",
    }


def _segment(asked: Seen, line: SegmentLine) -> dict[str, Any]:
    shares = {name: getattr(line, name) for name in ("reach", "survival", "survival_before")}
    return {
        **asdict(line),
        **{name: value * 100 if value is not None else None for name, value in shares.items()},
        "segment_href": replace(asked, segment=line.segment).at(asked.span.query),
    }


def _rule(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "rule_href": addresses.to("/rules", row["rule"]),
        "example_href": addresses.request(row["example"]),
    }


def chart(series: Sequence[Mapping[str, Any]], since: datetime) -> dict[str, Any]:
    """Options of the bars: served first, the commonest endings apart, all others together."""
    totals: dict[str, int] = {}
    counts: dict[tuple[str, datetime], int] = {}
    for row in series:
        name, at = ending(row["fate"], row["stage"], row["component"], row["reason"]), utc(row["at"])
        totals[name] = totals.get(name, 0) + row["times"]
        counts[name, at] = counts.get((name, at), 0) + row["times"]
    at_times = sorted({at for _, at in counts})
    ranked = sorted(totals, key=lambda name: (name != "served", -totals[name], name))
    shown, rest = ranked[:KINDS], ranked[KINDS:]
    told = {name: [counts.get((name, at), 0) for at in at_times] for name in shown}
    if rest:
        told["all others"] = [sum(counts.get((name, at), 0) for name in rest) for at in at_times]
    return charts.over_time(at_times, told, "served", since)


def _length(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3_600 else f"{seconds // 3_600} h"
