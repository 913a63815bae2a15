"""Where the search box leads."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from nicegui import ui
from starlette.requests import Request

from rectrace.console import addresses, layout, states

BACK: Final = timedelta(days=2)  # users, and items that the catalogue does not know
RECENT: Final = timedelta(minutes=10)  # in which everything is sealed
_WHERE: Final[dict[str, Callable[[str], str]]] = {
    "request": addresses.request,
    "user": lambda text: addresses.to("/requests", user=text, from_="now-2d"),
    "item": lambda text: addresses.to("/items", text),
}


def register(pages: states.Pages) -> None:
    """`/search?q=`"""

    @ui.page("/search")
    async def search(request: Request) -> None:
        text = request.query_params.get("q", "").strip()
        now = datetime.now(UTC)
        with layout.page(request, f"Search: {text}" if text else "Search"):
            if not text:
                states.nothing("Type a request id, a user id or an item into the box above.")
                return
            await pages.show(
                f"Looking for {text}",
                lambda reader: reader.find(text, now - BACK, now - RECENT),
                lambda kinds: _shown(text, kinds),
            )


def _shown(text: str, kinds: list[str]) -> None:
    if not kinds:
        states.nothing(
            f"{text!r} is no request, user or item that is known here.",
            "Users are looked for in the last two days; a request lands a second or two after its last event.",
        )
    elif len(kinds) == 1:
        ui.navigate.to(_WHERE[kinds[0]](text))
    for kind in kinds:
        ui.link(f"{kind} {text}", _WHERE[kind](text))
