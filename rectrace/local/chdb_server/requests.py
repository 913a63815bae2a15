"""One request to the engine and its reply. Blocking: run in a thread."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from rectrace.local.chdb_server.engine import Engine, Handle, as_failure, quote
from rectrace.local.chdb_server.failure import Failure, failure
from rectrace.local.chdb_server.native import reframe
from rectrace.local.chdb_server.spool import Spool
from rectrace.local.chdb_server.statement import Insert, Statement, parse

# URL parameters for the HTTP interface itself; every other one is a setting, as on a server.
_RESERVED = frozenset(
    {
        "query",
        "database",
        "default_format",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "query_id",
        "user",
        "password",
        "quota_key",
        "role",
        "compress",
        "decompress",
        "buffer_size",
        "stacktrace",
        "wait_end_of_query",
        "client_protocol_version",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
    }
)
_LIKE_A_SERVER = {"implicit_select": "0"}  # the engine reads a bare expression as a SELECT; to a server it is an error
_FOR_INSERTS = {
    "use_structure_from_insertion_table_in_table_functions": "1",  # the target's types and defaults, never guessed ones
    "parallelize_output_from_storages": "0",  # one part an insert, rows in their order
}
# Results in these may be cut at a block and put together again.
_STREAMABLE = frozenset({"Native", "TabSeparated", "TSV", "CSV", "RowBinary", "JSONEachRow"})
_MIME = {
    "JSON": "application/json",
    "JSONCompact": "application/json",
    "JSONEachRow": "application/x-ndjson",
    "CSV": "text/csv",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
}
_SUMMARY = (
    "read_rows",
    "read_bytes",
    "written_rows",
    "written_bytes",
    "total_rows_to_read",
    "result_rows",
    "result_bytes",
    "elapsed_ns",
)


@dataclass(frozen=True)
class Request:
    """SQL (an INSERT's data behind it) and what came as URL parameters, form fields or headers."""

    sql: bytes
    arguments: dict[str, str] = field(default_factory=dict)
    read_only: bool = False

    @property
    def settings(self) -> dict[str, str]:
        given = {k: v for k, v in self.arguments.items() if k not in _RESERVED and not k.startswith("param_")}
        settings = _LIKE_A_SERVER | given
        if self.read_only and settings.get("readonly", "0") == "0":
            settings["readonly"] = "2"
        return settings

    @property
    def parameters(self) -> dict[str, str]:
        """Values of {name:Type} in the SQL."""
        return {k.removeprefix("param_"): v for k, v in self.arguments.items() if k.startswith("param_")}

    @property
    def revision(self) -> int:
        return int(self.arguments.get("client_protocol_version", 0))


class Reply:
    """Headers and the body's chunks. Close it, also when the chunks were not read to the end."""

    def __init__(self, headers: dict[str, str], chunks: Iterator[bytes], streamed: bool, leased: ExitStack) -> None:
        self.headers = headers
        self.chunks = chunks  # raises Failure
        self.streamed = streamed
        self._leased = leased

    def next(self) -> bytes | None:
        try:
            return next(self.chunks, None)
        except Exception as error:
            raise as_failure(error) from error

    def close(self) -> None:
        self._leased.close()


class Executor:
    """Runs requests on an engine."""

    def __init__(self, engine: Engine, spool: Spool) -> None:
        self._engine = engine
        self._spool = spool

    def execute(self, request: Request) -> Reply:
        """Raises Failure. An error after a streamed result's first block comes out of the reply's chunks instead."""
        with ExitStack() as leased:
            try:
                statement = parse(request.sql)
                handle = self._handle(request, leased)
                if isinstance(statement, Insert):
                    headers, chunks, streamed = self._insert(handle, statement, request)
                else:
                    headers, chunks, streamed = self._query(handle, statement, request, leased)
            except Exception as error:
                raise as_failure(error) from error
            return Reply(headers, chunks, streamed, leased.pop_all())

    def _handle(self, request: Request, leased: ExitStack) -> Handle:
        arguments = request.arguments
        name = arguments.get("session_id")
        # readonly cannot be taken back on a handle, so it never meets a session
        if name and request.settings.get("readonly", "0") == "0":
            timeout = float(arguments.get("session_timeout", 0)) or None
            return self._engine.session(name, timeout, arguments.get("session_check") == "1", leased)
        return self._engine.fresh(leased)

    def _insert(self, handle: Handle, insert: Insert, request: Request) -> tuple[dict[str, str], Iterator[bytes], bool]:
        handle.configure(request.arguments.get("database"), request.settings | _FOR_INSERTS)
        with self._spool.file(insert.data) as path:
            sql = f"{insert.head} SELECT * FROM file({quote(str(path))}, {quote(insert.format)})"
            try:
                done = handle.connection.query(sql, "TabSeparated", params=request.parameters)
            except Exception as error:
                raise Failure(_without(str(error), str(path))) from error
        return _summary([done]), iter(()), False

    def _query(
        self, handle: Handle, statement: Statement, request: Request, leased: ExitStack
    ) -> tuple[dict[str, str], Iterator[bytes], bool]:
        handle.configure(request.arguments.get("database"), request.settings)
        form = statement.format or request.arguments.get("default_format") or "TabSeparated"
        headers = {"X-ClickHouse-Format": form, "Content-Type": _MIME.get(form, "application/octet-stream")}
        revision = request.revision if form == "Native" else 0
        if not statement.reads or form not in _STREAMABLE:
            done = handle.connection.query(statement.sql, form, params=request.parameters)
            if statement.uses:
                handle.used(statement.uses)
            body = reframe(bytes(done.bytes() or b""), revision, one_block=False)
            # without a result set a server names no format
            return (headers if statement.has_result else {}) | _summary([done]), iter([body]), False
        stream = handle.connection.send_query(statement.sql, form, params=request.parameters)
        leased.callback(stream.close)
        first = stream.fetch()  # an error before the first block still gets its own HTTP status
        if request.arguments.get("wait_end_of_query") == "1":
            blocks = [first, *stream] if first is not None else []
            body = b"".join(reframe(bytes(block.bytes()), revision, one_block=True) for block in blocks)
            return headers | _summary(blocks), iter([body]), False
        return headers, _blocks(stream, first, revision), True


def _blocks(stream: Any, block: Any, revision: int) -> Iterator[bytes]:
    while block is not None:
        yield reframe(bytes(block.bytes()), revision, one_block=True)
        block = stream.fetch()


def _summary(results: list[Any]) -> dict[str, str]:
    def total(name: str) -> int:
        return int(sum(getattr(result, name)() for result in results))

    values = {
        "read_rows": total("storage_rows_read"),
        "read_bytes": total("storage_bytes_read"),
        "result_rows": total("rows_read"),
        "result_bytes": total("bytes_read"),
        "elapsed_ns": int(sum(result.elapsed() for result in results) * 1e9),
    }
    if results and hasattr(results[0], "rows_written"):
        values |= {"written_rows": total("rows_written"), "written_bytes": total("bytes_written")}
    return {"X-ClickHouse-Summary": json.dumps({key: str(values.get(key, 0)) for key in _SUMMARY})}


def _without(text: str, path: str) -> str:
    """An error without the name of the spooled file, which means nothing to the client."""
    return re.sub(rf"\s*:?\s*\(in file/uri {re.escape(path)}\)", "", text)


def unsupported(arguments: dict[str, str]) -> Failure | None:
    """What the interface offers on a server and this one does not."""
    if "1" in (arguments.get("compress"), arguments.get("decompress")):
        return failure(48, "compress=1 and decompress=1 are not supported; use Content-Encoding", "NOT_IMPLEMENTED")
    return None
