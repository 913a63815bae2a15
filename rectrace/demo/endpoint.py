"""The recommender by HTTP: POST /recommend/NAME asks a carousel, GET /health says that it answers.

Threads read and write; all that is computed runs in the publisher's event loop, one request after the other.
"""

import asyncio
import json
import logging
import re
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from rectrace.demo.carousels import CAROUSELS
from schemas.recommenders import REQUEST_ID, InputError

MOST_BYTES: Final = 65_536  # of what is asked
PATIENCE: Final = 10.0  # seconds for a connection, and for the recommender
PATH: Final = "/recommend/"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(__name__)

Recommend = Callable[[str, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]  # carousel, request id, what is asked


class Refused(Exception):  # noqa: N818
    """A request that is none; the HTTP status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@contextmanager
def serving(host: str, port: int, recommend: Recommend) -> Iterator[int]:
    """Serve from within a running event loop, in which `recommend` is called; gives the port. Raises OSError."""
    loop = asyncio.get_running_loop()

    class Handler(_Handler):
        """Of this recommender."""

        def recommend(self, name: str, request_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
            """Raises InputError, TimeoutError."""

            async def asking() -> dict[str, Any]:
                return await recommend(name, request_id, wanted)

            return asyncio.run_coroutine_threadsafe(asking(), loop).result(PATIENCE)

    server = _Server((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a request that hangs holds nobody up
    address_family = socket.AF_INET


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version = "rectrace-demo"
    sys_version = ""

    def recommend(self, name: str, request_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Of the server."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """`/health` alone."""
        healthy = self.path == "/health"
        self._answer(200 if healthy else 404, {"status": "ok"} if healthy else {"error": "ask /health by GET"})

    def do_POST(self) -> None:
        """A carousel."""
        given = self.headers.get(REQUEST_ID, "")
        request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        try:
            self._answer(200, self.recommend(self._name(), request_id, self._wanted()), request_id)
        except InputError as error:
            self._answer(400, {"error": str(error)}, request_id)
        except Refused as refused:
            self._answer(refused.status, {"error": str(refused)}, request_id)
        except Exception:
            log.exception("asked for %s", self.path)
            self._answer(500, {"error": "the recommender failed"}, request_id)

    def log_message(self, *args: object) -> None:
        """Says nothing of what goes well."""

    def _name(self) -> str:
        name = self.path.removeprefix(PATH)
        if not self.path.startswith(PATH) or name not in CAROUSELS:
            raise Refused(404, f"there are {', '.join(f'{PATH}{each}' for each in CAROUSELS)}")
        return name

    def _wanted(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":  # pages of other sites may send other types unasked
            raise Refused(415, "ask with content-type: application/json")
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            raise Refused(413, f"ask with a content-length of at most {MOST_BYTES} bytes")
        try:
            wanted = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(400, "what was sent is not JSON") from None
        if not isinstance(wanted, dict):
            raise Refused(400, "what was sent is not an object")
        return wanted

    def _answer(self, status: int, body: Mapping[str, Any], request_id: str = "") -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        if request_id:
            self.send_header(REQUEST_ID, request_id)
        self.end_headers()
        self.wfile.write(sent)
