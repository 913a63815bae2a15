"""A little recommender that answers by HTTP as a test wants it to, and what it was asked."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rectrace.local.ports import LOOPBACK


@dataclass(frozen=True)
class Reply:
    """An answer, after so many seconds; drip: seconds between two bytes of it."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    drip: float = 0.0


@dataclass(frozen=True)
class Asked:
    """What came; body: of a POST."""

    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]


def slate(request_id: str, *items: str, **fields: Any) -> Reply:
    """A right answer."""
    told = [{"item": item, "title": f"Garment {item}", "price": 10 + number} for number, item in enumerate(items)]
    return Reply(json.dumps({"request_id": request_id, "items": told, **fields}).encode())


@dataclass
class TestRecommender:
    """`with TestRecommender(answer) as recommender:` listens on a free port."""

    __test__ = False  # for pytest

    answer: Callable[[Asked], Reply]
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> "TestRecommender":
        recommender = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                asked = Asked(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
                recommender.asked.append(asked)
                with contextlib.suppress(OSError):  # it did not wait
                    self._reply(recommender.answer(asked))

            do_GET = do_POST  # noqa: N815

            def _reply(self, reply: Reply) -> None:
                time.sleep(reply.wait)
                self.send_response(reply.status)
                for name, text in reply.headers.items():
                    self.send_header(name, text)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                for at in range(0, len(reply.body), 1 if reply.drip else len(reply.body) or 1):
                    self.wfile.write(reply.body[at : at + 1] if reply.drip else reply.body)
                    time.sleep(reply.drip)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self._server.server_port}"
