"""ClickHouse's engine on loopback: starts `rectrace.local.chdb_server` as a child process."""

import importlib.util
import sys
from pathlib import Path

from rectrace.local.errors import LocalError, PortInUse
from rectrace.local.ports import LOOPBACK, start_on
from rectrace.local.probes import http_answers
from rectrace.local.processes import Child, start

READY_SECONDS = 30
STOP_SECONDS = 15


class ClickHouse:
    """A running server. `with start_clickhouse(...) as clickhouse:` stops it at the end."""

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.url = f"http://{LOOPBACK}:{port}"

    def stop(self) -> None:
        self.child.stop(STOP_SECONDS)

    def __enter__(self) -> "ClickHouse":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def start_clickhouse(port: int, data: Path, log_dir: Path, option: str = "") -> ClickHouse:
    """Serve the directory `data` on 127.0.0.1:port (0: a free one) and wait until it answers.

    Its output goes to log_dir/clickhouse.log. Raises PortInUse, which names `option`, or LocalError: another process
    uses the directory, the engine is not installed, or whatever the end of the log tells.
    """
    if missing := [name for name in ("chdb", "aiohttp") if importlib.util.find_spec(name) is None]:
        raise LocalError(f"ClickHouse's engine needs {' and '.join(missing)}: pip install 'rectrace[local]'")
    return start_on(port, option, lambda chosen: _start(chosen, data, log_dir, option))


def _start(port: int, data: Path, log_dir: Path, option: str) -> ClickHouse:
    command = [sys.executable, "-m", "rectrace.local.chdb_server", "--path", str(data), "--port", str(port)]
    child = start("clickhouse", command, log_dir / "clickhouse.log")
    try:
        child.wait_ready(lambda: http_answers(f"http://{LOOPBACK}:{port}/ping"), READY_SECONDS)
    except BaseException as error:
        child.kill()
        if isinstance(error, LocalError) and f":{port} is in use" in child.tail():
            raise PortInUse(f"{LOOPBACK}:{port}", option) from None
        raise
    return ClickHouse(child, port)
