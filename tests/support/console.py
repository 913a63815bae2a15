"""The console with a simulated browser: every page as its server makes it, without a browser's rendering."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from nicegui import ui
from nicegui.functions.download import download
from nicegui.functions.navigate import Navigate
from nicegui.functions.notify import notify
from nicegui.testing import User
from nicegui.testing.general import nicegui_reset_globals

from rectrace.console import server
from rectrace.console.access import Guard
from rectrace.console.asking import Asker
from rectrace.settings import Settings

BASE = "http://127.0.0.1:8080"


def visit(settings: Settings, journey: Callable[[User], Awaitable[None]]) -> None:
    """What a person does in the console of these settings."""
    asyncio.run(_visit(settings, journey))


async def _visit(settings: Settings, journey: Callable[[User], Awaitable[None]]) -> None:
    asker = Asker(settings)
    with _nicegui_anew():
        app = server.app(settings, asker)
        transport = httpx.ASGITransport(Guard(app, settings.console, time.time))
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            await journey(User(client))
    asker.close()


@contextmanager
def _nicegui_anew() -> Iterator[None]:
    """NiceGUI knows one application a process. Its reset forgets modules that hold pages; others have them in use."""
    modules = dict(sys.modules)
    try:
        with nicegui_reset_globals():
            yield
    finally:
        sys.modules.update(modules)
        ui.navigate, ui.notify, ui.download = Navigate(), notify, download


def texts(user: User) -> list[str]:
    """All that labels and links of the page say, in order."""
    with user:
        found = user.current_layout.descendants()
        return [str(each.text) for each in found if isinstance(each, ui.label | ui.link) and each.visible]


def rows(user: User, marker: str) -> list[dict[str, Any]]:
    """Of the table with this marker."""
    with user:
        (table,) = user.find(kind=ui.table, marker=marker).elements
        return list(table.rows)
