"""The engine and its handles: one engine a process, a cheap handle (0.1 ms) for each request or session."""

import fcntl
import json
import re
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from chdb.state.sqlitelike import Connection

from rectrace.local.chdb_server.failure import Failure, failure
from rectrace.local.errors import LocalError

DEFAULT_DATABASE = "default"
DEFAULT_SESSION_SECONDS = 60.0


def quote(value: str) -> str:
    """A string literal of SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handle:
    """An engine handle and its state: current database, settings, temporary tables. Used by one request at a time."""

    def __init__(self, dsn: str, session: bool = False) -> None:
        self.connection = Connection(dsn)
        self._session = session
        self.lock = threading.Lock()
        self.expires = 0.0
        self.home = DEFAULT_DATABASE  # what USE said last
        self._database = DEFAULT_DATABASE
        self._applied: dict[str, str] = {}  # the last request's settings
        self._undo: dict[str, str] = {}  # and for each the assignment that puts it back

    def configure(self, database: str | None, settings: dict[str, str]) -> None:
        """Make this request's database and settings the current ones; those of the request before are put back."""
        if (database := database or self.home) != self._database:
            self.connection.query(f"USE `{database.replace('`', '``')}`")
            self._database = database
        if settings == self._applied:
            return
        if bad := next((name for name in settings if not re.fullmatch(r"\w+", name)), None):
            raise failure(115, f"Unknown setting '{bad}'", "UNKNOWN_SETTING")
        if self._session:
            self._remember([name for name in settings if name not in self._applied])
        assign = [self._undo[name] for name in self._applied if name not in settings]
        assign += [f"{name}={quote(value)}" for name, value in settings.items() if self._applied.get(name) != value]
        self.connection.query("SET " + ", ".join(assign))  # all or nothing
        self._applied = dict(settings)

    def _remember(self, names: list[str]) -> None:
        """How to put each setting back: the session may have changed it with a SET of its own."""
        if not names:
            return
        listed = ",".join(map(quote, names))
        sql = f"SELECT name, value, toUInt8(changed) FROM system.settings WHERE name IN ({listed})"
        rows = bytes(self.connection.query(sql, "JSONCompactEachRow").bytes() or b"")
        for name, value, changed in map(json.loads, rows.splitlines()):
            self._undo[name] = f"{name}={quote(value) if changed else 'DEFAULT'}"

    def used(self, database: str) -> None:
        """A USE statement was run."""
        self.home = self._database = database


class Engine:
    """Opens the data directory, hands out handles. Thread-safe."""

    def __init__(self, path: Path, config_file: Path | None = None) -> None:
        """Raises LocalError when another process uses the directory, or the engine cannot open it."""
        self._dsn = f"{path}?config-file={config_file}" if config_file else str(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalError(f"cannot use the data directory {path}: {error.strerror}") from None
        try:
            self._root = Connection(self._dsn)  # open until the end: the engine closes with its last handle
        except RuntimeError as error:
            if _locked(path):
                raise LocalError(f"another process uses {path}: one engine at a time") from None
            raise LocalError(f"ClickHouse's engine could not open {path}: {error}") from error
        told = self._root.query("SELECT version(), timezone(), displayName()", "TSV").bytes()
        self.version, self.timezone, self.name = bytes(told).decode().rstrip("\n").split("\t")
        self._sessions: dict[str, Handle] = {}
        self._guard = threading.Lock()

    def fresh(self, leased: ExitStack) -> Handle:
        """A handle for one request; `leased` closes it."""
        handle = Handle(self._dsn)
        leased.callback(handle.connection.close)
        return handle

    def session(self, name: str, timeout: float | None, must_exist: bool, leased: ExitStack) -> Handle:
        """The handle of a session, made when it is new, locked until `leased` is closed."""
        now = time.monotonic()
        with self._guard:
            self._expire(now)
            handle = self._sessions.get(name)
            if handle is None and must_exist:
                raise failure(372, f"Session {name} not found", "SESSION_NOT_FOUND")
            if handle is None:
                handle = self._sessions[name] = Handle(self._dsn, session=True)
            if not handle.lock.acquire(blocking=False):
                raise failure(373, f"Session {name} is locked by a concurrent client", "SESSION_IS_LOCKED")
            leased.callback(handle.lock.release)
            handle.expires = now + (timeout or DEFAULT_SESSION_SECONDS)
            return handle

    def _expire(self, now: float) -> None:
        for name, handle in list(self._sessions.items()):
            if handle.expires < now and not handle.lock.locked():
                self._sessions.pop(name).connection.close()

    def close(self) -> None:
        """Close every handle. No request may be running."""
        for handle in self._sessions.values():
            handle.connection.close()
        self._sessions.clear()
        self._root.close()


def _locked(path: Path) -> bool:
    """The engine holds a lock on its status file while it is open; its own error for that does not reach Python."""
    try:
        with (path / "status").open("rb") as status:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def as_failure(error: Exception) -> Failure:
    """What the engine raised, as the client should see it."""
    return error if isinstance(error, Failure) else Failure(str(error))
