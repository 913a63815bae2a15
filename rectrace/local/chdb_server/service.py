"""The HTTP interface (aiohttp): reads requests, runs them in threads, writes replies."""

import asyncio
import secrets
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, TypeVar

from aiohttp import web

from rectrace.local.chdb_server.bodies import choose, compress, decompress
from rectrace.local.chdb_server.engine import Engine
from rectrace.local.chdb_server.failure import Failure
from rectrace.local.chdb_server.requests import Executor, Reply, Request, unsupported

MAX_BODY_BYTES = 1 << 30
THREADS = 64
TAG = "X-ClickHouse-Exception-Tag"
_HEADER_ARGUMENTS = (("X-ClickHouse-Format", "default_format"), ("X-ClickHouse-Database", "database"))

Result = TypeVar("Result")


class Service:
    """Routes and handlers over one engine."""

    def __init__(self, engine: Engine, executor: Executor) -> None:
        self._engine = engine
        self._executor = executor
        self._threads = ThreadPoolExecutor(THREADS, "query")
        self._running: set[Future[Any]] = set()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for path in ("/ping", "/replicas_status"):
            app.router.add_get(path, self._ping)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        return app

    def idle(self, patience: float) -> bool:
        """Take no more work; True once what runs has ended, False after `patience` seconds."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        return not wait(set(self._running), patience).not_done

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        base = {
            "X-ClickHouse-Server-Display-Name": self._engine.name,
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Query-Id": http.query.get("query_id") or str(uuid.uuid4()),
        }
        try:
            request = await self._read(http)
            if not request.sql.strip():
                return web.Response(text="Ok.\n", headers=base)
            reply = await self._call(self._executor.execute, request)
            try:
                return await (self._stream if reply.streamed else self._whole)(http, request, reply, base)
            finally:
                await self._call(reply.close)
        except Failure as failure:
            headers = base | {"X-ClickHouse-Exception-Code": str(failure.code)}
            return web.Response(status=failure.status, text=self._text(failure), headers=headers)

    async def _read(self, http: web.Request) -> Request:
        arguments, body = dict(http.query), b""
        arguments |= {name: http.headers[header] for header, name in _HEADER_ARGUMENTS if header in http.headers}
        if http.content_type == "multipart/form-data":
            arguments |= {key: value for key, value in (await http.post()).items() if isinstance(value, str)}
        else:
            body = await http.read()
        if (encoding := http.headers.get("Content-Encoding", "identity")) != "identity":
            body = await self._call(decompress, body, encoding)
        if refused := unsupported(arguments):
            raise refused
        query = arguments.get("query", "").encode()
        sql = query.rstrip() + b"\n" + body if query and body else query or body
        return Request(sql, arguments, read_only=http.method == "GET")

    async def _whole(self, http: web.Request, request: Request, reply: Reply, base: dict[str, str]) -> web.Response:
        headers = base | reply.headers
        body = b"".join(reply.chunks)
        allowed = request.arguments.get("enable_http_compression", "1") == "1"
        if body and allowed and (encoding := choose(http.headers.get("Accept-Encoding", ""))):
            body = await self._call(compress, body, encoding)
            headers["Content-Encoding"] = encoding
        return web.Response(body=body, headers=headers)

    async def _stream(self, http: web.Request, _: Request, reply: Reply, base: dict[str, str]) -> web.StreamResponse:
        tag = secrets.token_hex(8)
        response = web.StreamResponse(headers=base | reply.headers | {TAG: tag})
        with suppress(ConnectionResetError):  # the client has gone: closing the reply ends the query
            await response.prepare(http)
            try:
                while (chunk := await self._call(reply.next)) is not None:
                    await response.write(chunk)
            except Failure as failure:
                await response.write(self._frame(failure, tag))
        return response

    def _frame(self, failure: Failure, tag: str) -> bytes:
        """An exception inside a body, for when the status line is gone: as a server writes it."""
        text = self._text(failure)
        return f"\r\n__exception__\r\n{tag}\r\n{text}{len(text.encode())} {tag}\r\n__exception__\r\n".encode()

    def _text(self, failure: Failure) -> str:
        version = "" if "(version " in str(failure) else f" (version {self._engine.version})"
        return f"{failure}{version}\n"

    async def _call(self, function: Callable[..., Result], *arguments: object) -> Result:
        running = self._threads.submit(function, *arguments)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(running)
