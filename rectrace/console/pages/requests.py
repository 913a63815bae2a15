"""Requests by what people know of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace.console import addresses, layout, states, tables, times
from rectrace.console.addresses import BadAddress, Span
from rectrace.console.tables import Column, View
from rectrace.terminal import labels, moment
from sinks.clickhouse.reader import STATUSES, Period, Reader, RequestFilter

LIMIT: Final = 500
MOST: Final = 5_000  # rows; more belong into a file of their own
FATES: Final = ("served", "dropped")
_FIELDS: Final = ("user", "placement", "status", "item", "fate", "segment", "arm", "version", "rule")
_LABELS: Final = {"fate": "fate of the item"}
_COLUMNS: Final = (
    Column("at", "at (UTC)"),
    Column("request_id", "request", linked=True),
    Column("placement", "placement"),
    Column("user_id", "user", linked=True),
    Column("n_served", "served", digits=0),
    Column("k", "of", digits=0),
    Column("total_ms", "ms", digits=0),
    Column("status", "status", state=True),
    Column("segments", "segments"),
    Column("experiments", "experiments"),
)
_POSITION: Final = Column("position", "its position", digits=0)


@dataclass(frozen=True)
class Asked:
    """The whole state of the page."""

    span: Span
    wanted: RequestFilter
    limit: int
    view: View

    @classmethod
    def of(cls, query: Mapping[str, str], now: datetime) -> "Asked":
        """From the page's address. Raises BadAddress."""
        wanted = RequestFilter(**{name: query.get(name, "").strip() for name in _FIELDS})
        for name, allowed, given in (("status", STATUSES, wanted.status), ("fate", FATES, wanted.fate)):
            if given and given not in allowed:
                raise BadAddress(f"{name}={given!r} is none of {', '.join(allowed)}")
        addresses.pairs("segment", wanted.segment)
        addresses.pairs("arm", wanted.arm)
        addresses.pair("version", wanted.version, "ranker=v2.1")
        if wanted.fate and not wanted.item:
            raise BadAddress(f"fate={wanted.fate!r} is of an item: give one, too")
        limit = query.get("limit", str(LIMIT))
        if not limit.isdecimal() or not 0 < int(limit) <= MOST:
            raise BadAddress(f"limit={limit!r} is no number from 1 to {MOST:,}")
        return cls(addresses.span(query, now), wanted, int(limit), View.of(query))

    @property
    def address(self) -> str:
        """Of this very view."""
        return self.at(self.span.query)

    def at(self, time: Mapping[str, str]) -> str:
        """The address of the same at another time."""
        limit = str(self.limit) if self.limit != LIMIT else ""
        query = {**asdict(self.wanted), "limit": limit, "sort": self.view.sort, "find": self.view.find, **time}
        return addresses.to("/requests", **query)


def register(pages: states.Pages) -> None:
    """`/requests?...`"""

    @ui.page("/requests")
    async def requests(request: Request) -> None:
        with layout.page(request, "Requests", "Requests"):
            asked = Asked.of(request.query_params, datetime.now(UTC))
            times.chooser(asked.span, asked.at)
            _form(asked)
            period = Period(asked.span.since, asked.span.until)

            def question(reader: Reader) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
                rows = reader.requests(period, asked.wanted, asked.limit)
                return rows, {} if rows else reader.known(period)

            await pages.show("Looking for requests", question, lambda found: _shown(asked, *found))


def _form(asked: Asked) -> None:
    """What to ask for; the address of the page changes with it."""
    fields: dict[str, ui.input | ui.select] = {}

    def search() -> None:
        given = {name: str(field.value or "").strip() for name, field in fields.items()}
        time = {name: given.pop(name) for name in ("from", "to")}
        given["fate"] = given["fate"] if given["item"] else ""
        ui.navigate.to(replace(asked, wanted=RequestFilter(**given)).at(time))

    with ui.row().classes("w-full items-end gap-x-3 gap-y-1"):
        for name in _FIELDS:
            value = getattr(asked.wanted, name)
            if name in ("status", "fate"):
                options = ["", *(STATUSES if name == "status" else FATES)]
                fields[name] = ui.select(options, value=value, label=_LABELS.get(name, name), on_change=search)
            else:
                fields[name] = ui.input(name, value=value).on("keydown.enter", search)
        for name, text in (("from", asked.span.given_from), ("to", asked.span.given_to)):
            fields[name] = ui.input(name, value=text).on("keydown.enter", search)
        for name, each in fields.items():
            each.classes("w-36").props("dense").mark(f"ask-{name}")
        ui.button("Search", icon="search", on_click=search).props("dense no-caps")


def _shown(asked: Asked, rows: Sequence[Mapping[str, Any]], known: Mapping[str, Sequence[str]]) -> None:
    if not rows:
        states.nothing("No such request in that time.", _hint(asked, known))
        return
    many = len(rows) == asked.limit
    ui.label(f"The newest {len(rows):,} such requests" if many else f"{len(rows):,} requests").classes("text-grey")
    if many and asked.limit < MOST:
        ui.link(f"up to {MOST:,}", replace(asked, limit=MOST).address)
    columns = [*_COLUMNS, _POSITION] if asked.wanted.item else list(_COLUMNS)
    told = [_row(row) for row in rows]
    tables.table("requests", columns, told, asked.view, lambda view: replace(asked, view=view).address)


def in_short(row: Mapping[str, Any]) -> dict[str, Any]:
    """What every table of requests shows of one."""
    return {
        **{name: row[name] for name in ("request_id", "placement", "user_id")},
        "request_id_href": addresses.request(row["request_id"]),
        "position": row["position"] or None,
        "status": ", ".join(row["statuses"]) or "ok",
    }


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **in_short(row),
        **{name: row[name] for name in ("n_served", "k", "total_ms")},
        "at": moment(row["at"]),
        "segments": labels(row["segments"]),
        "experiments": labels(row["experiments"]),
        "user_id_href": addresses.to("/requests", user=row["user_id"]) if row["user_id"] else "",
    }


def _hint(asked: Asked, known: Mapping[str, Sequence[str]]) -> str:
    """What there is in place of what was asked for and is not there."""
    told = []
    for kind in ("placement", "segment", "arm", "version", "rule"):
        given, there = getattr(asked.wanted, kind), known.get(kind, ())
        several = kind in ("segment", "arm")
        for each in map("=".join, addresses.pairs(kind, given)) if several else filter(None, [given]):
            if each not in there:
                told.append(f"no {kind} {each!r} then; there was {', '.join(there[:20]) or 'none'}")
    return "; ".join(told) or "A longer time, or less to match, may have some."
