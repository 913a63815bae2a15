"""What is different about the bad ones? What some requests say of themselves against what the others do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace import slicing_asked
from rectrace.console import addresses, layout, states, tables, times
from rectrace.console.addresses import BadAddress, Span
from rectrace.console.pages.segments import settled, source
from rectrace.console.tables import Column, View
from rectrace.different import FEW, Difference, Differences, Q, differences, sentence
from sinks.clickhouse import chosen
from sinks.clickhouse.changes import Times
from sinks.clickhouse.different import MOST, Different, Values
from sinks.clickhouse.reader import STATUSES, Reader, RequestFilter
from sinks.clickhouse.slices import Within

_FIELDS: Final = ("status", "rule", "placement", "segment", "arm")
_COLUMNS: Final = (
    Column("says", "what", wide=12),
    Column("field", "of"),
    Column("bad", "of the bad, %", digits=1),
    Column("rest", "of the others, %", digits=1),
    Column("explains", "explains, points", digits=1),
    Column("low", "from", digits=1),
    Column("high", "to", digits=1),
    Column("likely", "times as common", digits=1),
    Column("sure", "verdict"),
    Column("bad_with", "bad requests", digits=0, linked=True),
    Column("example", "for example", linked=True),
)


@dataclass(frozen=True)
class Asked:
    """The whole state of the page."""

    span: Span
    wanted: RequestFilter
    view: View

    @classmethod
    def of(cls, query: Mapping[str, str], now: datetime) -> "Asked":
        """From the page's address. Raises BadAddress."""
        wanted = RequestFilter(**{name: query.get(name, "").strip() for name in _FIELDS})
        if wanted.status and wanted.status not in STATUSES:
            raise BadAddress(f"status={wanted.status!r} is none of {', '.join(STATUSES)}")
        addresses.pairs("segment", wanted.segment)
        addresses.pairs("arm", wanted.arm)
        return cls(addresses.span(query, now), wanted, View.of(query))

    @property
    def bad(self) -> RequestFilter:
        """What makes a request a bad one: status and rule; if neither is given, segment and arm; else placement."""
        for names in (("status", "rule"), ("segment", "arm"), ("placement",)):
            if given := {name: getattr(self.wanted, name) for name in names if getattr(self.wanted, name)}:
                return RequestFilter(**given)
        return RequestFilter()

    @property
    def within(self) -> Within:
        """Which requests are looked at: by what else is given."""
        bad, wanted = self.bad, self.wanted
        segments, arms = ("" if getattr(bad, name) else getattr(wanted, name) for name in ("segment", "arm"))
        placement = "" if bad.placement else wanted.placement
        return Within(placement, tuple(chosen.pairs(segments)), tuple(chosen.pairs(arms)))

    def at(self, time: Mapping[str, str]) -> str:
        """The address of the same at another time."""
        return self.where("/segments/different", **{"sort": self.view.sort, "find": self.view.find, **time})

    def where(self, path: str, **more: str) -> str:
        """A page about the same requests."""
        return addresses.to(path, **{name: getattr(self.wanted, name) for name in _FIELDS}, **more)


@dataclass(frozen=True)
class _Answer:
    """times: of what is read; None: no trace is kept whole. bad and rest: how many there are."""

    times: Times | None
    sealed: datetime | None
    bad: int
    rest: int
    told: Differences


def register(pages: states.Pages) -> None:
    """`/segments/different?...`"""

    @ui.page("/segments/different")
    async def different(request: Request) -> None:
        with layout.page(request, "What is different about the bad ones?", "Segments"):
            now = datetime.now(UTC)
            asked = Asked.of(request.query_params, now)
            times.chooser(asked.span, asked.at)
            _form(asked)
            if asked.bad == RequestFilter():
                states.nothing(
                    "Which requests are the bad ones?",
                    "Choose a status, or a rule that found them at fault; or a segment, an experiment's arm or a "
                    "placement, to see what is different there.",
                )
                return

            def question(reader: Reader) -> _Answer:
                where = source(pages, reader, now)
                span = settled(where, asked.span)
                held, _ = slicing_asked.kept(span.times, where.whole_since)
                if held is None:
                    return _Answer(None, span.sealed, 0, 0, differences(0, 0, [], {}))
                asking = Different(reader, where.database, held, asked.bad, asked.within)
                bad, rest = asking.counts()
                read = asking.values(bad, rest) if bad and rest else Values(0, 0, [])
                return _Answer(held, span.sealed, bad, rest, differences(read.bad, read.rest, read.rows, read.places))

            await pages.show("Comparing requests", question, lambda found: _shown(asked, found))


def _form(asked: Asked) -> None:
    fields: dict[str, ui.input | ui.select] = {}

    def search() -> None:
        given = {name: str(field.value or "").strip() for name, field in fields.items()}
        time = {name: given.pop(name) for name in ("from", "to")}
        ui.navigate.to(replace(asked, wanted=RequestFilter(**given), view=View()).at(time))

    with ui.row().classes("w-full items-end gap-x-3 gap-y-1"):
        for name in _FIELDS:
            value = getattr(asked.wanted, name)
            if name == "status":
                fields[name] = ui.select(["", *STATUSES], value=value, label=name, on_change=search)
            else:
                fields[name] = ui.input(name, value=value).on("keydown.enter", search)
        for name, text in (("from", asked.span.given_from), ("to", asked.span.given_to)):
            fields[name] = ui.input(name, value=text).on("keydown.enter", search)
        for name, each in fields.items():
            each.classes("w-36").props("dense").mark(f"ask-{name}")
        ui.button("Compare", icon="compare_arrows", on_click=search).props("dense no-caps")


def called(asked: Asked) -> str:
    """What the bad ones are called."""
    bad = asked.bad
    told = [bad.status.replace("_", " ")] if bad.status else []
    told.append("requests")
    told += [f"at fault by {bad.rule}"] if bad.rule else []
    told += [f"with {each}" for each in (bad.segment, bad.arm) if each]
    told += [f"at {bad.placement}"] if bad.placement else []
    return " ".join(told)


def among(asked: Asked) -> str:
    """Which requests are looked at, in words that follow `of`; empty for all."""
    inside = asked.within
    told = [f" at {inside.placement}"] if inside.placement else []
    told += [f" with {chosen.joined(each)}" for each in (inside.segments, inside.arms) if each]
    return "".join(told)


def _shown(asked: Asked, found: _Answer) -> None:
    if found.times is None:
        states.nothing("Of that time only bad requests are kept.", "A later time has others to compare them with.")
        return
    if not found.bad or not found.rest:
        what = f"no {called(asked)}" if not found.bad else f"nothing but {called(asked)}"
        sealed = f" Sealed until {found.sealed:%Y-%m-%d %H:%M:%S} UTC." if found.sealed else ""
        states.nothing(
            f"There are {what}{among(asked)} in that time.",
            f"A longer time, or less to match, may have both bad ones and others to compare them with.{sealed}",
        )
        return
    told = found.told
    with states.card("red" if told.sure else "grey"):
        ui.label(sentence(told, called(asked))).classes("text-lg").mark("verdict")
        ui.label(_counts(asked, found)).classes("text-grey")
        if told.bad < FEW:
            ui.label(f"{told.bad:,} bad requests are few: only what is in nearly all of them shows.").classes(
                "text-red-600"
            )
        with ui.row().classes("gap-x-4"):
            ui.link(f"These {called(asked)}", asked.where("/requests", **asked.span.query))
            ui.link("By segment", _by_segment(asked))
    tables.table(
        "different", _COLUMNS, [_row(asked, each) for each in told.found], asked.view,
        lambda view: replace(asked, view=view).at(asked.span.query),
    )  # fmt: skip
    ui.label(
        "explains: the share of the bad ones that have it, less that of the others; 100 points would be all of them "
        f"and no other. from, to: its 95 % interval. real: not by chance, of all {told.looks:,} values compared "
        f"(Benjamini and Hochberg, q = {Q:.0%}), as if each request were of another user. What bad requests have may "
        "be why they are bad, or follow from it: what comes after a stage that lets nothing through has nothing to do. "
        "Long times and many drops are those above the p95 of the others."
    ).classes("text-grey text-sm")


def _by_segment(asked: Asked) -> str:
    wanted = asked.wanted
    return addresses.to(
        "/segments", metric=wanted.status if wanted.status != "empty" else "", **asked.span.query,
        placement=asked.within.placement, segment=chosen.joined(asked.within.segments),
        arm=chosen.joined(asked.within.arms),
    )  # fmt: skip


def _counts(asked: Asked, found: _Answer) -> str:
    told, held = found.told, found.times
    assert held is not None
    text = (
        f"{found.bad:,} {called(asked)} against {found.rest:,} others{among(asked)}, sealed "
        f"{held.since:%Y-%m-%d %H:%M:%S} to {held.until:%Y-%m-%d %H:%M:%S} UTC"
    )
    if found.bad > told.bad or found.rest > told.rest:
        text += f"; {told.bad:,} and {told.rest:,} of them were read (at most about {2 * MOST:,} each)"
    return f"{text}."


def _row(asked: Asked, each: Difference) -> dict[str, Any]:
    return {
        "says": each.says,
        "field": each.field,
        "bad": each.bad * 100,
        "rest": each.rest * 100,
        "explains": each.explains * 100,
        "low": each.interval.low * 100,
        "high": each.interval.high * 100,
        "likely": each.likely,
        "sure": "real" if each.sure else "may be chance",
        "bad_with": each.bad_with,
        "bad_with_href": _requests(asked, each),
        "example": each.example,
        "example_href": addresses.request(each.example) if each.example else "",
    }


def _requests(asked: Asked, each: Difference) -> str:
    """The bad ones that have it, where requests can be asked for by it."""
    query = {name: getattr(asked.wanted, name) for name in _FIELDS}
    if not each.value or not each.bad_with:
        return ""
    if each.field == "placement":
        query["placement"] = each.value
    elif each.field in ("segment", "arm"):
        query[each.field] = _with(query[each.field], (each.name, each.value))
    else:
        return ""
    return addresses.to("/requests", **query, **asked.span.query)


def _with(given: str, more: chosen.Pair) -> str:
    held: Sequence[chosen.Pair] = chosen.pairs(given)
    return chosen.joined([*held, *([] if more in held else [more])])
