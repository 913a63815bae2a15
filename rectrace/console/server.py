"""`rectrace console`: the server, from its start to its clean stop."""

import errno
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from starlette.responses import PlainTextResponse

from rectrace.console import access, pages
from rectrace.console.asking import Asker
from rectrace.local.errors import PortInUse
from rectrace.settings import Settings, SettingsError

STOP_WITHIN: Final = 3  # seconds; open pages keep a connection that nobody ends
AWAY: Final = 10.0  # seconds for a browser to come back to its page


def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code.

    Raises SettingsError for an address that is not this machine's or that is not guarded, PortInUse.
    """
    access.check(settings.console)
    listening = _listen(settings.console.host, settings.console.port)
    asker = Asker(settings)
    guarded = access.Guard(app(settings, asker), settings.console, time.time)
    config = uvicorn.Config(
        guarded, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=STOP_WITHIN,
    )  # fmt: skip
    try:
        with _quiet_signals():
            _Server(config).run([listening])
    finally:
        asker.close()
        listening.close()
    return 0


def app(settings: Settings, asker: Asker) -> FastAPI:
    """All pages. Once a process: NiceGUI knows one application."""
    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    made.add_api_route("/ready", lambda: PlainTextResponse("ready\n"))
    pages.register(settings, asker)
    ui.run_with(
        made, title="rectrace", favicon="🔎", dark=None, binding_refresh_interval=None, reconnect_timeout=AWAY,
        show_welcome_message=False,
    )  # fmt: skip
    return made


class _Server(uvicorn.Server):
    """Says when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        await super().startup(sockets)
        if sockets and not self.should_exit:
            host, port = sockets[0].getsockname()[:2]
            print(
                f"ready: console on http://{f'[{host}]' if ':' in host else host}:{port}; Ctrl-C stops it", flush=True
            )


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{host}:{port}", "--port") from None
        raise SettingsError(f"cannot serve the console on {host}:{port} (console.host): {error.strerror}") from None


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """uvicorn stops on these, and then raises them again for whoever handled them before."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
