"""Why is this item not shown?"""

from nicegui import ui
from starlette.requests import Request

from rectrace.console import layout, states


def register(pages: states.Pages) -> None:
    """`/items/{item}`"""

    @ui.page("/items/{item:path}")
    async def one(request: Request, item: str) -> None:
        with layout.page(request, f"{item}", "Items"):
            pass
