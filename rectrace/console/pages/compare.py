"""Two requests side by side, and which to compare one with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from rectrace import comparison, telling
from rectrace.comparison import Comparison, Counts, Fact
from rectrace.console import addresses, layout, states, tables
from rectrace.console.tables import Column, View
from rectrace.story import Story
from rectrace.terminal import labels, moment
from sinks.clickhouse.reader import Period, Reader, RequestFilter
from sinks.clickhouse.rows import utc

BACK: Final = timedelta(days=2)  # its user's request before is looked for
NEAR: Final = timedelta(seconds=30)  # requests beside it
MANY: Final = 200
MOST_CHARACTERS: Final = 512  # of an id
_FACTS: Final = (
    Column("name", "what", wide=8), Column("left", "left", wide=8), Column("right", "right", wide=8),
)  # fmt: skip
_SOURCES: Final = (Column("name", "source"), Column("left", "candidates left", digits=0),
                   Column("right", "right", digits=0))  # fmt: skip
_ENDS: Final = (Column("name", "how candidates ended", wide=12), Column("left", "left", digits=0),
                Column("right", "right", digits=0))  # fmt: skip
_ITEMS: Final = (
    Column("item", "item"),
    Column("title", "title"),
    Column("left_at", "served at left", digits=0),
    Column("right_at", "right", digits=0),
    Column("left_rank", "model rank left", digits=0),
    Column("right_rank", "right", digits=0),
    Column("left_score", "score left", digits=4),
    Column("right_score", "right", digits=4),
    Column("difference", "what differs", wide=20),
)


@dataclass(frozen=True)
class Asked:
    """The whole state of the page."""

    left: str
    right: str
    view: View

    @property
    def address(self) -> str:
        """Of this very view."""
        return addresses.to("/compare", left=self.left, right=self.right, sort=self.view.sort, find=self.view.find)


def register(pages: states.Pages) -> None:
    """`/compare?left=REQUEST&right=REQUEST`"""

    @ui.page("/compare")
    async def compare(request: Request) -> None:
        query = request.query_params
        left, right = (query.get(side, "").strip()[:MOST_CHARACTERS] for side in ("left", "right"))
        asked = Asked(left, right, View.of(query))
        with layout.page(request, "Compare two requests", "Requests"):
            _form(asked)
            if asked.left and asked.right:
                await pages.show("Reading both", lambda reader: _both(reader, asked), lambda both: _shown(asked, *both))
            elif asked.left:
                await pages.show(
                    "Looking for others like it", lambda reader: _choices(reader, asked), lambda to: _offer(asked, to)
                )
            else:
                states.nothing("Give two requests.", "Every request's page has a link that leads here.")


def _form(asked: Asked) -> None:
    with ui.row().classes("w-full items-end gap-x-3 gap-y-1"):
        left = ui.input("left", value=asked.left).props("dense").classes("w-72 max-w-full").mark("ask-left")
        right = ui.input("right", value=asked.right).props("dense").classes("w-72 max-w-full").mark("ask-right")

        def show() -> None:
            ui.navigate.to(replace(asked, left=(left.value or "").strip(), right=(right.value or "").strip()).address)

        for each in (left, right):
            each.on("keydown.enter", show)
        ui.button("Compare", icon="compare_arrows", on_click=show).props("dense no-caps")
        if asked.left and asked.right:
            ui.link("the other way round", replace(asked, left=asked.right, right=asked.left).address)


def _choices(reader: Reader, asked: Asked) -> dict[str, str] | None:
    """What one request may be compared with; None: nothing is known of it."""
    told = telling.request(reader, asked.left)
    if told is None:
        return None
    story, at = told.story, utc(told.story.at)
    before: list[dict[str, Any]] = []
    if story.user_id:
        wanted = RequestFilter(user=story.user_id, placement=story.placement)
        before = reader.requests(Period(at - BACK, at), wanted, 1)
    near = reader.requests(Period(at - NEAR, at + NEAR), RequestFilter(placement=story.placement), MANY)
    return comparison.beside(story, before, near)


def _offer(asked: Asked, choices: Mapping[str, str] | None) -> None:
    if choices is None:
        states.nothing(f"Nothing is known of request {asked.left!r}.")
    elif not choices:
        states.nothing("Its user has no earlier request at its placement, and none is beside it.", "Give another id.")
    else:
        layout.section("Compare it with")
        for what, other in choices.items():
            ui.link(f"{what}: {other}", replace(asked, right=other).address).classes("break-all")


def _both(reader: Reader, asked: Asked) -> tuple[Story | None, Story | None]:
    left, right = (telling.request(reader, each) for each in (asked.left, asked.right))
    return left.story if left else None, right.story if right else None


def _shown(asked: Asked, left: Story | None, right: Story | None) -> None:
    if left is None or right is None:
        unknown = " and ".join(repr(each) for each, told in ((asked.left, left), (asked.right, right)) if told is None)
        states.nothing(f"Nothing is known of request {unknown}.")
        return
    told = comparison.compare(left, right)
    with states.card("grey"):
        ui.label(told.headline()).classes("text-lg font-bold").mark("headline")
    with ui.element("div").classes("w-full grid gap-3 grid-cols-1 sm:grid-cols-2"):
        for side, story in (("left", left), ("right", right)):
            _slate(side, story)
    layout.section("What else differs")
    differing = [fact for fact in told.facts if fact.differs]
    if differing:
        tables.small("facts", _FACTS, [_fact(fact) for fact in differing])
    same = ", ".join(fact.name for fact in told.facts if not fact.differs)
    ui.label(f"The same in both: {same or 'nothing'}.").classes("text-sm text-grey")
    layout.section("Sources")
    tables.small("sources", _SOURCES, [_counted(each) for each in told.sources])
    layout.section("Reasons")
    tables.small("ends", _ENDS, [_counted(each) for each in told.ends])
    layout.section("All candidates: the served first, then those that differ")
    tables.table("items", _ITEMS, _items(told), asked.view, lambda view: replace(asked, view=view).address)


def _slate(side: str, story: Story) -> None:
    with ui.card().classes("gap-1 p-3").props("flat bordered").mark(f"slate-{side}"):
        ui.link(story.request_id, addresses.request(story.request_id)).classes("font-bold break-all")
        ui.label(f"{moment(story.at)} {story.placement} {labels(story.segments, story.experiments)}").classes(
            "text-xs text-grey"
        )
        ui.label(story.headline())
        for each in story.slate:
            with ui.row().classes("gap-2 no-wrap items-baseline text-sm"):
                ui.label(f"{each.position}").classes("w-5 text-right font-bold shrink-0")
                ui.label(each.name).classes("break-words")


def _fact(fact: Fact) -> dict[str, Any]:
    return {"name": fact.name, "left": fact.left or "-", "right": fact.right or "-"}


def _counted(each: Counts) -> dict[str, Any]:
    return {"name": each.name, "left": each.left, "right": each.right}


def _items(told: Comparison) -> Sequence[dict[str, Any]]:
    return [
        {
            "item": pair.item,
            "title": pair.title,
            "difference": pair.difference(),
            **{
                f"{side}_{name}": value
                for side, each in (("left", pair.left), ("right", pair.right))
                for name, value in (
                    ("at", each.position or None if each else None),
                    ("rank", each.model_rank or None if each else None),
                    ("score", each.score if each else None),
                )
            },
        }
        for pair in told.items
    ]
