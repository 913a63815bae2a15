"""Stands between a worker and ClickHouse: sees every statement, and acts before or after the one that a test chose."""

import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from rectrace.local.ports import LOOPBACK

Moment = Literal["before", "after"]  # after: ClickHouse has done it and answered, the worker does not know yet
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass
class Trap:
    """Acts once at a statement that contains `text`. `happened` is set when it has."""

    text: str
    moment: Moment
    act: Callable[[], None]
    forward: bool  # for `before`: whether ClickHouse still gets the statement afterwards
    happened: threading.Event


class ClickHouseProxy:
    """Serves on a port of its own until `close`. While `away` it ends every connection without an answer."""

    def __init__(self, upstream: str) -> None:
        address = urlsplit(upstream)
        self.upstream = (str(address.hostname), int(address.port or 8123))
        self.away = False
        self.statements: Counter[str] = Counter()  # by table inserted into; empty: all others
        self.slowest: dict[str, float] = {}  # seconds, likewise
        self._traps: list[Trap] = []
        self._lock = threading.Lock()
        self._server = _Server((LOOPBACK, 0), _handler(self))
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="proxy", daemon=True).start()

    def set_trap(self, text: str, moment: Moment, act: Callable[[], None], *, forward: bool = False) -> threading.Event:
        """At the next statement with `text` call `act`, on the thread that serves it. Returns when it happened."""
        trap = Trap(text, moment, act, forward, threading.Event())
        with self._lock:
            self._traps.append(trap)
        return trap.happened

    def take(self, statement: str, moment: Moment) -> Trap | None:
        """The trap to spring now, if there is one; each springs once."""
        with self._lock:
            for trap in self._traps:
                if trap.moment == moment and trap.text in statement:
                    self._traps.remove(trap)
                    return trap
        return None

    def count(self, statement: str, seconds: float) -> None:
        """A statement was answered."""
        words = statement.split(None, 3)
        inserted = [word.upper() for word in words[:2]] == ["INSERT", "INTO"]
        table = words[2].rpartition(".")[2].strip("`(") if inserted else ""
        with self._lock:
            self.statements[table] += 1
            self.slowest[table] = max(seconds, self.slowest.get(table, 0.0))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients here get killed: their broken connections are no news."""


def _handler(proxy: ClickHouseProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self._body()
            if proxy.away:
                self._hang_up()
                return
            statement = _statement(self.path, body)
            trap = proxy.take(statement, "before")
            if trap:
                trap.act()
                trap.happened.set()
                if not trap.forward:
                    self._hang_up()
                    return
            sent = time.monotonic()
            try:
                status, headers, answer = _forward(proxy.upstream, self, body)
            except (OSError, http.client.HTTPException):
                self._hang_up()
                return
            proxy.count(statement, time.monotonic() - sent)
            trap = proxy.take(statement, "after")
            if trap:
                trap.act()
                trap.happened.set()
            self._answer(status, headers, answer)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def _answer(self, status: int, headers: list[tuple[str, str]], answer: bytes) -> None:
            try:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                self.close_connection = True

        def _hang_up(self) -> None:
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the other side was faster

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Tests say what they need."""

    return Handler


def _statement(path: str, body: bytes) -> str:
    query = parse_qs(urlsplit(path).query).get("query", [""])[0]
    return query or body[:20_000].decode(errors="replace")


def _forward(
    upstream: tuple[str, int], request: BaseHTTPRequestHandler, body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(*upstream, timeout=120)
    try:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        connection.request(request.command, request.path, body, {**headers, "Content-Length": str(len(body))})
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()
