"""The local stack: a Kafka-compatible broker and ClickHouse's engine, on loopback, as child processes.

The broker keeps everything in memory, ClickHouse keeps its directory. After a restart on the same directory the
topics are gone and offsets begin at 0 again, while ClickHouse still remembers the earlier run's rows and progress.
What writes to ClickHouse must cope with that (the sink does); nothing here clears the directory.
"""

import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rectrace.local.broker import Broker, start_broker
from rectrace.local.clickhouse import ClickHouse, start_clickhouse
from rectrace.local.errors import LocalError
from rectrace.local.processes import Child

KAFKA_OPTION = "--kafka-port"
CLICKHOUSE_OPTION = "--clickhouse-port"
CHECK_SECONDS = 0.5


class LocalStack:
    """`with LocalStack() as stack:` starts both and stops them at the end, ClickHouse first.

    Ports: 0 takes a free one. data: the directory for ClickHouse's data and the logs; None: a temporary one, removed at
    the end. Entering raises LocalError: a port in use (PortInUse, which names port and option), a directory that
    another process uses, a part that is not installed or does not start.
    """

    kafka: str  # host:port
    clickhouse: str  # http://host:port
    log_dir: Path

    def __init__(self, kafka_port: int = 0, clickhouse_port: int = 0, data: Path | None = None) -> None:
        self._kafka_port = kafka_port
        self._clickhouse_port = clickhouse_port
        self._data = data
        self._children: list[Child] = []
        self._running = ExitStack()

    def __enter__(self) -> "LocalStack":
        with ExitStack() as starting:
            data = self._directory(starting)
            self.log_dir = data / "logs"
            broker = starting.enter_context(self._start_broker())
            clickhouse = starting.enter_context(self._start_clickhouse(data))
            self.kafka, self.clickhouse = broker.address, clickhouse.url
            self._children = [broker.child, clickhouse.child]
            self._running = starting.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._children = []
        self._running.close()

    def failure(self) -> str | None:
        """Which part has ended by itself, with the end of its log; None while all run."""
        dead = next((child for child in self._children if child.exit_code is not None), None)
        return f"{dead.name} ended with exit code {dead.exit_code}{dead.tail()}" if dead else None

    def _directory(self, starting: ExitStack) -> Path:
        if self._data is None:
            temporary = Path(tempfile.mkdtemp(prefix="rectrace-"))
            starting.callback(shutil.rmtree, temporary, ignore_errors=True)
            return temporary
        try:
            self._data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalError(f"cannot use the data directory {self._data}: {error.strerror}") from None
        return self._data.absolute()

    def _start_broker(self) -> Broker:
        return start_broker(self._kafka_port, self.log_dir, KAFKA_OPTION)

    def _start_clickhouse(self, data: Path) -> ClickHouse:
        return start_clickhouse(self._clickhouse_port, data / "clickhouse", self.log_dir, CLICKHOUSE_OPTION)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, in place of ending the process. Main thread only."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_stack(kafka_port: int, clickhouse_port: int, data: Path | None) -> int:
    """Run the stack until SIGINT or SIGTERM. Returns the exit code: 1 when it could not start or a part ended."""
    with stop_signals() as stop:
        try:
            with LocalStack(kafka_port, clickhouse_port, data) as stack:
                print(_ready_line(stack, data), flush=True)
                while not stop.wait(CHECK_SECONDS):
                    if failure := stack.failure():
                        raise LocalError(failure)
        except LocalError as error:
            print(f"rectrace stack: {error}", file=sys.stderr)
            return 1
    return 0


def _ready_line(stack: LocalStack, data: Path | None) -> str:
    where = data or "a temporary directory, removed at the end"
    return (
        f"ready: Kafka on {stack.kafka} (in memory), ClickHouse on {stack.clickhouse} (data in {where})\n"
        f"export RECTRACE_KAFKA={stack.kafka} RECTRACE_CLICKHOUSE={stack.clickhouse}\n"
        "Ctrl-C stops both"
    )
