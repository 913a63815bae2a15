"""The rules that are in force: whose they are, what they found, what they do to what is served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace.console import access, addresses, layout, states, tables, times
from rectrace.console.addresses import BadAddress, Span
from rectrace.console.tables import Column, View
from rectrace.rule_words import does, moment
from schemas.errors import Invalid
from schemas.rules import decode_rule
from sinks.clickhouse import rule_pages
from sinks.clickhouse.reader import Period

NEVER: Final = "never"
_COLUMNS: Final = (
    Column("id", "rule", linked=True),
    Column("owner", "owner"),
    Column("severity", "severity"),
    Column("scope", "scope"),
    Column("does", "does"),
    Column("since", "in force since (UTC)"),
    Column("version", "version"),
    Column("hit", "hits", digits=0),
    Column("judged", "of", digits=0),
    Column("last_hit", "last hit", rare=NEVER),
    Column("last_fired", "last fired", rare=NEVER),
    Column("slots", "served slots", digits=0),
    Column("slot_share", "of all, %", digits=1),
    Column("conflicts", "conflicts", digits=0),
    Column("lost", "lost", digits=0),
    Column("state", "state", state=True),
)


@dataclass(frozen=True)
class Listed:
    """The whole state of the page."""

    span: Span
    disabled: bool  # those, too
    view: View

    @classmethod
    def of(cls, query: Mapping[str, str], now: datetime) -> "Listed":
        """From the page's address. Raises BadAddress."""
        disabled = query.get("disabled", "")
        if disabled not in ("", "0", "1"):
            raise BadAddress(f"disabled={disabled!r} is neither 0 nor 1")
        return cls(addresses.span(query, now), disabled == "1", View.of(query))

    def at(self, time: Mapping[str, str]) -> str:
        """The address of the same at another time."""
        query = {"disabled": "1" if self.disabled else "", "sort": self.view.sort, "find": self.view.find}
        return addresses.to("/rules", **{**query, **time})


def register(pages: states.Pages) -> None:
    """`/rules`"""

    @ui.page("/rules")
    async def rules(request: Request) -> None:
        with layout.page(request, "Rules", "Rules"):
            asked = Listed.of(request.query_params, datetime.now(UTC))
            times.chooser(asked.span, asked.at)
            with ui.row().classes("w-full items-center gap-x-4 gap-y-1"):
                ui.button("New rule", icon="add", on_click=lambda: ui.navigate.to("/rules/new")).props("dense no-caps")
                if not access.person(request).editor:
                    ui.label("You may try rules out; publishing and disabling takes an editor.").classes("text-grey")
                ui.space()
                ui.switch(
                    "Disabled ones, too", value=asked.disabled,
                    on_change=lambda event: ui.navigate.to(
                        replace(asked, disabled=bool(event.value)).at(asked.span.query)
                    ),
                ).mark("disabled")  # fmt: skip
            period = Period(asked.span.since, asked.span.until)
            await pages.show(
                "Reading the rules",
                lambda reader: rule_pages.listed(reader, period),
                lambda found: _shown(asked, found),
            )


def _shown(asked: Listed, found: Sequence[Mapping[str, Any]]) -> None:
    shown = [row for row in found if asked.disabled or not row["deleted"]]
    if not shown:
        off = len(found)
        states.nothing(
            f"No rule is in force; {off:,} are disabled." if off else "No rule has been published.",
            "“New rule” writes one; `rectrace rules publish FILES` publishes files of them.",
        )
        return
    acting = sum(bool(row["action"]) for row in shown if not row["deleted"])
    in_force = sum(not row["deleted"] for row in shown)
    ui.label(
        f"{in_force:,} in force, {acting:,} of them act on what is served. Last hit and last fired: within "
        f"{rule_pages.BACK.days} days; a rule that acts hits when it moves or takes out a candidate."
    ).classes("text-grey")
    rows = [_row(row, asked) for row in shown]
    tables.table("rules", _COLUMNS, rows, asked.view, lambda view: replace(asked, view=view).at(asked.span.query))


def _row(row: Mapping[str, Any], asked: Listed) -> dict[str, Any]:
    acts, watches = bool(row["action"]), row["action"] in ("", "exclude")
    return {
        **{name: row[name] for name in ("id", "owner", "severity", "scope")},
        "id_href": addresses.to("/rules", row["id"], **asked.span.query),
        "does": said(row),
        "since": f"{row['at']:%Y-%m-%d %H:%M}",
        "version": f"{row['versions']} ({row['version'][:7]})",
        "hit": row["hit"] if watches else row["requests"],
        "judged": row["judged"] if watches else None,
        "last_hit": _when(row["last_hit"]),
        "last_fired": _when(row["last_fired"]) if watches else "-",
        "slots": row["slots"] if acts else None,
        "slot_share": row["slot_share"] * 100 if acts and row["slot_share"] is not None else None,
        "conflicts": row["conflicts"] if acts else None,
        "lost": row["lost"] if acts else None,
        "state": state(row, datetime.now(UTC)),
    }


def _when(at: datetime | None) -> str:
    return f"{at:%m-%d %H:%M:%S}" if at else NEVER


def said(row: Mapping[str, Any]) -> str:
    """What the rule of a row does, in short."""
    try:
        return does(decode_rule(None, str(row["rule"]).encode()))
    except Invalid:  # published by a newer version
        return str(row["action"]) or "watches"


def state(row: Mapping[str, Any], now: datetime) -> str:
    """ok, disabled, or that its own time has not come or is over."""
    if row["deleted"]:
        return f"disabled {row['at']:%m-%d %H:%M}"
    try:
        active = decode_rule(None, str(row["rule"]).encode()).active
    except Invalid:
        return "written by a newer version"
    now_ms = now.timestamp() * 1000
    if active.since_ms is not None and now_ms < active.since_ms:
        return f"from {moment(active.since_ms)}"
    if active.until_ms is not None and now_ms >= active.until_ms:
        return f"over since {moment(active.until_ms)}"
    return "ok"
