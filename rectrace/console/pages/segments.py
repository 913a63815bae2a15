"""For whom is it worse than for the others? Requests by one or two things that tell them apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nicegui import events, ui
from starlette.requests import Request

from rectrace import slicing_asked
from rectrace.changed_facts import NONE, Amount
from rectrace.changed_story import value
from rectrace.console import addresses, charts, layout, states, tables, times
from rectrace.console.addresses import BadAddress, Span
from rectrace.console.tables import Column, View
from rectrace.slicing import FEW, METRICS, Line, Q, heat, overall
from rectrace.slicing_asked import Looked, Source, shown
from sinks.clickhouse import chosen
from sinks.clickhouse.reader import STATUSES, Reader
from sinks.clickhouse.slices import EXPERIMENT, MOST_VALUES, OTHERS, PLACEMENT, Within

NOTHING: Final = "none"  # across: by one thing alone
CAPPED: Final = "other"  # what sealed windows call values beyond those that keep their name
_PERCENT: Final = ("share", "latency")  # kinds of metrics that are shares


@dataclass(frozen=True)
class Asked:
    """The whole state of the page. by: empty for the first there is."""

    span: Span
    metric: str
    by: str
    across: str
    within: Within
    view: View

    @classmethod
    def of(cls, query: Mapping[str, str], now: datetime) -> "Asked":
        """From the page's address. Raises BadAddress."""
        metric = query.get("metric") or "empty"
        if metric not in METRICS:
            raise BadAddress(f"metric={metric!r} is none of {', '.join(METRICS)}")
        by, across = query.get("by", ""), query.get("across") or PLACEMENT
        if by == across != "":
            across = NOTHING if by == PLACEMENT and "across" not in query else across
            if by == across:
                raise BadAddress(f"across={across!r} is what requests are told apart by already; {NOTHING} is allowed")
        return cls(addresses.span(query, now), metric, by, across, within(query), View.of(query))

    def at(self, time: Mapping[str, str]) -> str:
        """The address of the same at another time."""
        query = {
            "metric": "" if self.metric == "empty" else self.metric,
            "by": self.by,
            "across": self.across if self.across != PLACEMENT or self.by == PLACEMENT else "",
            **of_within(self.within),
            "sort": self.view.sort,
            "find": self.view.find,
        }
        return addresses.to("/segments", **{**query, **time})

    @property
    def address(self) -> str:
        """Of this very view."""
        return self.at(self.span.query)


def within(query: Mapping[str, str]) -> Within:
    """Which requests an address is about. Raises BadAddress."""
    segments, arms = (addresses.pairs(name, query.get(name, "").strip()) for name in ("segment", "arm"))
    return Within(query.get("placement", "").strip(), tuple(segments), tuple(arms))


def of_within(told: Within) -> dict[str, str]:
    """Its part of an address."""
    return {
        "placement": told.placement,
        "segment": chosen.joined(told.segments),
        "arm": chosen.joined(told.arms),
    }


def narrowed(told: Within, things: Sequence[str], values: Sequence[str]) -> Within | None:
    """With these values, too; None where they are those of no one value."""
    for thing, given in zip(things, values, strict=True):
        if given in (NONE, OTHERS, CAPPED):
            return None
        if thing == PLACEMENT:
            told = replace(told, placement=given)
        elif thing.startswith(EXPERIMENT):
            told = replace(told, arms=(*told.arms, (thing.removeprefix(EXPERIMENT), given)))
        else:
            told = replace(told, segments=(*told.segments, (thing, given)))
    return told


def source(pages: states.Pages, reader: Reader, now: datetime) -> Source:
    """Where slices come from, of these settings."""
    return Source(reader, pages.settings.database, now - timedelta(seconds=pages.settings.retention.all))


def settled(where: Source, span: Span) -> slicing_asked.Span:
    """The time of a view, where it can be compared."""
    return slicing_asked.settled(where, span.since, span.until, until_now=span.until_now)


def register(pages: states.Pages) -> None:
    """`/segments?...`"""

    @ui.page("/segments")
    async def segments(request: Request) -> None:
        with layout.page(request, "Segments", "Segments"):
            now = datetime.now(UTC)
            asked = Asked.of(request.query_params, now)
            times.chooser(asked.span, asked.at)
            _form(asked)

            def question(reader: Reader) -> Looked:
                where = source(pages, reader, now)
                span = settled(where, asked.span)
                across = "" if asked.across == NOTHING else asked.across
                wanted = slicing_asked.Asked(METRICS[asked.metric], asked.by, across, asked.within)
                return slicing_asked.look(where, wanted, span)

            await pages.show("Counting requests by segment", question, lambda found: _shown(asked, found))


def _form(asked: Asked) -> None:
    """What to count, and of which requests."""
    fields: dict[str, ui.input] = {}

    def go() -> None:
        search(asked.metric)

    def search(metric: str) -> None:
        given = {name: str(field.value or "").strip() for name, field in fields.items()}
        time = {name: given.pop(name) for name in ("from", "to")}
        other = replace(asked, metric=metric, within=Within(), view=View())
        ui.navigate.to(other.at({**time, **given}))

    with ui.row().classes("w-full items-end gap-x-3 gap-y-1"):
        options = {name: metric.says for name, metric in METRICS.items()}
        metric = ui.select(options, value=asked.metric, label="metric", on_change=lambda event: search(event.value))
        metric.classes("w-64 max-w-full").props("dense").mark("ask-metric")
        told = {**of_within(asked.within), "from": asked.span.given_from, "to": asked.span.given_to}
        for name, text in told.items():
            fields[name] = ui.input(name, value=text).on("keydown.enter", go)
            fields[name].classes("w-36").props("dense").mark(f"ask-{name}")
        ui.button("Search", icon="search", on_click=go).props("dense no-caps")


def _shown(asked: Asked, found: Looked) -> None:
    if not found.requests:
        states.nothing(
            f"No requests are sealed{_placed(asked)} in that time.",
            "Counts come 10 to 25 s after requests. A longer time may have some"
            + (f"; sealed until {found.span.sealed:%Y-%m-%d %H:%M:%S} UTC." if found.span.sealed else "."),
        )
        return
    by, across = found.by, found.across
    unknown = [name for name in filter(None, (by, across)) if name not in found.names]
    _things(asked, found)
    if unknown:
        states.nothing(f"No request says anything of {unknown[0]!r} in that time.", _those(found.names))
        return
    if not found.lines:
        states.nothing(
            "No such requests in that time.",
            "Less to match, or another time, may have some; what traces tell is known as long as all are kept.",
        )
        return
    things = (by, across) if across else (by,)
    metric = METRICS[asked.metric]
    _told(asked, found)
    if across:
        _heat(asked, found, things)
    tables.table(
        "segments", _columns(metric.kind, things, found), [_row(asked, found, things, line) for line in found.lines],
        asked.view, lambda view: replace(asked, view=view).address,
    )  # fmt: skip
    ui.label(_meaning(asked, found)).classes("text-grey text-sm")


def _placed(asked: Asked) -> str:
    return f" at {asked.within.placement!r}" if asked.within.placement else ""


def _those(names: Sequence[str]) -> str:
    return f"There is {', '.join(names)}."


def _things(asked: Asked, found: Looked) -> None:
    """What requests can be told apart by, as links."""
    by, across = found.by, found.across or NOTHING
    for label, name, taken in (("by", by, across), ("across", across, by)):
        with ui.row().classes("w-full items-center gap-x-3 gap-y-1 text-sm"):
            ui.label(label).classes("text-grey w-12")
            for each in (*found.names, *([NOTHING] if label == "across" else [])):
                if each == taken:
                    continue
                other = replace(asked, by=each if label == "by" else by, view=View())
                other = replace(other, across=each if label == "across" else across)
                ui.link(shown(each), other.address).classes("font-bold no-underline" if each == name else "")


def _told(asked: Asked, found: Looked) -> None:
    """What was counted, and of how much."""
    times_ = found.times
    counted = f"{found.requests:,.0f} requests{_placed(asked)} sealed"
    since, until = f"{found.span.times.since:%Y-%m-%d %H:%M:%S}", f"{times_.until:%Y-%m-%d %H:%M:%S}"
    told = [f"{METRICS[asked.metric].says}: {counted} {since} to {until} UTC"]
    if found.traced:
        sampled = f" of a sample of about {found.sampled:,} of them" if found.sampled else ""
        told.append(f"counted from traces{sampled}")
        if times_.since > found.span.times.since:
            told.append(f"since {times_.since:%Y-%m-%d %H:%M:%S}: of what is older only bad requests are kept")
    if not found.before:
        told.append("there is nothing before to compare with")
    ui.label("; ".join(told) + ".")
    if status := METRICS[asked.metric].status:
        query = {**of_within(asked.within), "status": status, **asked.span.query}
        ui.link(f"What is different about the {status} ones?", addresses.to("/segments/different", **query))
    if found.span.incomplete:
        ui.label(f"{found.span.incomplete:,} windows of it are incomplete: a partition made no progress.").classes(
            "text-red-600"
        )


def said(name: str, number: float | None) -> str:
    """A value of a metric in its unit."""
    return "-" if number is None else value(METRICS[name], Amount(number, number, number, None))


def _heat(asked: Asked, found: Looked, things: Sequence[str]) -> None:
    rows, columns = (_axis(found.lines, place) for place in (0, 1))
    drawn = [line for line in found.lines if line.value is not None]
    every = found.limit if METRICS[asked.metric].kind == "latency" else overall(found.lines)
    cells = [
        charts.Cell(
            columns.index(line.values[1]), rows.index(line.values[0]), heat(line, every),
            said(asked.metric, line.value), _tip(asked.metric, things, line), line.few,
        )
        for line in drawn
    ]  # fmt: skip
    options = charts.heatmap(columns, rows, cells, more_is_worse=METRICS[asked.metric].more_is_worse)

    def clicked(event: events.EChartPointClickEventArguments) -> None:
        line = drawn[event.data_index]
        picked.clear()
        with picked:
            ui.label(_tip(asked.metric, things, line).replace("\n", "; ")).classes("font-medium")
            for text, address in _links(asked, found, things, line).items():
                ui.link(text, address)

    made = ui.echart(options, on_point_click=clicked).classes("w-full")
    made.style(f"height: {charts.height_px(len(rows))}px; min-width: {min(len(columns) * 56 + 120, 340)}px")
    made.props(f'role="img" aria-label="{asked.metric} by {len(rows)} times {len(columns)} values; the table has them"')
    picked = ui.row().classes("w-full items-center gap-x-3 gap-y-1").mark("picked")
    with picked:
        hint = (
            f"Grey cells have fewer than {FEW} requests; of the others the colour is the end of the interval that is "
            "nearer to what all have. A click on a cell says more."
        )
        ui.label(hint).classes("text-grey text-sm")


def _axis(lines: Sequence[Line], place: int) -> list[str]:
    """Values with most requests first, those of no one value last."""
    requests: dict[str, float] = {}
    for line in lines:
        requests[line.values[place]] = requests.get(line.values[place], 0.0) + line.requests
    return sorted(requests, key=lambda each: (each in (OTHERS, NONE), -requests[each], each))


def _tip(metric: str, things: Sequence[str], line: Line) -> str:
    names = ", ".join(f"{shown(thing)}={given}" for thing, given in zip(things, line.values, strict=True))
    told = [names, said(metric, line.value) + (f" of {line.requests:,.0f} requests" if line.requests else "")]
    if line.interval:
        told.append(f"95 %: {said(metric, line.interval.low)} to {said(metric, line.interval.high)}")
    if line.before is not None:
        told.append(f"before {said(metric, line.before)}")
    return "\n".join([*told, *filter(None, [line.verdict])])


def _links(asked: Asked, found: Looked, things: Sequence[str], line: Line) -> dict[str, str]:
    """Where a slice leads, by what is there."""
    inside = narrowed(asked.within, things, line.values)
    if inside is None:
        return {}
    status = METRICS[asked.metric].status
    where, time = of_within(inside), asked.span.query
    given = {name for name, _ in inside.segments} | {EXPERIMENT + name for name, _ in inside.arms}
    given |= {PLACEMENT} if inside.placement else set()
    unused = [name for name in found.names if name not in given]
    told = {"requests": addresses.to("/requests", **where, status=status if status in STATUSES else "", **time)}
    if unused:
        across = PLACEMENT if PLACEMENT in unused[1:] else (*unused[1:], NOTHING)[0]
        told["narrower"] = replace(asked, by=unused[0], across=across, within=inside, view=View()).address
    told["what is different"] = addresses.to("/segments/different", **where, status=status, **time)
    return told


def _columns(kind: str, things: Sequence[str], found: Looked) -> list[Column]:
    unit = ", %" if kind == "share" else ", ms" if kind == "latency" else ""
    digits = {"share": 2, "mean": 2, "latency": 0, "count": 0}[kind]
    made = [Column(name, shown(thing), linked=True) for name, thing in zip(("first", "second"), things, strict=False)]
    made.append(Column("requests", "requests", digits=0, linked=True))
    if kind != "count":
        made += [Column("value", f"it is{unit}", digits=digits), Column("low", f"from{unit}", digits=digits)]
        made += [Column("high", f"to{unit}", digits=digits)]
    if kind == "latency":
        made.append(Column("share", "slower than all, %", digits=1))
    if kind != "count":
        label = "others, %" if kind in _PERCENT else "others"
        made.append(Column("expected", label, digits=1 if kind == "latency" else digits))
        made.append(Column("lost", "good events lost", digits=1))
        made.append(Column("verdict", "verdict", state=True))
    if found.before:
        made.append(Column("before", f"before{unit}", digits=digits))
        made.append(Column("requests_before", "requests before", digits=0))
    return [*made, Column("different", "what is different", linked=True)]


def _row(asked: Asked, found: Looked, things: Sequence[str], line: Line) -> dict[str, Any]:
    kind = METRICS[asked.metric].kind
    scale = 100.0 if kind == "share" else 1.0
    links = _links(asked, found, things, line)

    def scaled(number: float | None, by: float = scale) -> float | None:
        return None if number is None else number * by

    row: dict[str, Any] = dict(zip(("first", "second"), line.values, strict=False))
    row |= {f"{name}_href": links.get("narrower", "") for name in ("first", "second")[: len(things)]}
    return {
        **row,
        "requests": line.requests,
        "requests_href": links.get("requests", ""),
        "value": scaled(line.value),
        "low": scaled(line.interval.low) if line.interval else None,
        "high": scaled(line.interval.high) if line.interval else None,
        "share": scaled(line.share, 100.0),
        "expected": scaled(line.expected, 100.0 if kind in _PERCENT else 1.0),
        "lost": line.lost,
        "verdict": line.verdict,
        "before": scaled(line.before) if kind != "count" else line.before,
        "requests_before": line.requests_before,
        "different": "compare" if links else "",
        "different_href": links.get("what is different", ""),
    }


def _meaning(asked: Asked, found: Looked) -> str:
    """What the columns say."""
    metric = METRICS[asked.metric]
    told = []
    if metric.kind != "count":
        told.append(
            "from and to: a 95 % interval (of shares Wilson's). others: the same of all other requests. good events "
            "lost: by how much it is worse than those, times what it is counted among; below 0 it is better."
        )
        told.append(
            f"worse and better: by more than chance explains, of all rows together (Benjamini and Hochberg, "
            f"q = {Q:.0%}). Of fewer than {FEW} requests nothing is said."
        )
    if metric.kind == "latency":
        told.append(f"Slower than all: above {found.limit:,.0f} ms, which is the p95 of all requests.")
    if metric.kind == "mean":
        told.append("Its interval takes a standard deviation of half the mean.")
    if metric.name == "violations":
        told.append("Of a rule 1,000 violations a window are kept: of one that everything violates they are too few.")
    if metric.name in ("ctr", "cvr"):
        told.append(
            "Shown is what has an impression, else all that was served; the newest requests may be clicked yet. "
            "What one request shows is not independent: an interval takes it for four trials."
        )
    told.append(
        f"Values beyond the {MOST_VALUES} commonest are {OTHERS}; requests that say nothing are {NONE}."
        if found.traced
        else f"Rare values are {CAPPED}."
    )
    return " ".join(told)
