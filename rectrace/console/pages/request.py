"""One request's journey."""

from nicegui import ui
from starlette.requests import Request

from rectrace.console import layout, states


def register(pages: states.Pages) -> None:
    """`/requests/{request_id}`"""

    @ui.page("/requests/{request_id:path}")
    async def one(request: Request, request_id: str) -> None:
        with layout.page(request, f"Request {request_id}", "Requests"):
            pass
