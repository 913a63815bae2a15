"""One worker with topics, a group and a database of its own, on a broker and a ClickHouse that others share."""

import os
import secrets
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import Message, Producer
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from rectrace.cli import app
from rectrace.local.ports import LOOPBACK, free_port
from rectrace.local.processes import Child, start
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Layout, migrate

RECTRACE: Final = [sys.executable, "-m", "rectrace"]
QUICK: Final = {
    "RECTRACE_SESSION_TIMEOUT": "4",
    "RECTRACE_JOIN__SETTLE": "0.5",
    "RECTRACE_JOIN__GRACE": "2",
    "RECTRACE_JOIN__MAX_WAIT": "4",
    "RECTRACE_FLUSH__INTERVAL": "0.5",
    "RECTRACE_SEAL__INTERVAL": "0.5",
}
LARGEST: Final = 64_000_000  # bytes of a record that the test's producer would send
READY: Final = 60.0


class Where(NamedTuple):
    """Where the broker put a record."""

    topic: str
    partition: int
    offset: int


def eventually(check: Callable[[], object], what: Callable[[], str], seconds: float = 60.0) -> None:
    """Wait until `check` is true; `what` says what did not come."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"never: {what()}"
        time.sleep(0.4)


@dataclass
class Service:
    """`with Service(...) as service:` makes topics and tables; the worker starts and stops by hand."""

    kafka: str
    clickhouse: str
    directory: Path
    partitions: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> "Service":
        self.name = f"input_{secrets.token_hex(4)}"
        self.stages, self.interactions, self.catalog, self.rules = (
            f"{self.name}.{kind}" for kind in ("stages", "clicks", "items", "rules")
        )
        self.worker: Child | None = None
        self._port = 0
        self._producer = Producer(
            {"bootstrap.servers": self.kafka, "message.max.bytes": LARGEST, "linger.ms": 2, "log_level": 0}
        )
        self.client = connect(self.clickhouse)
        migrate(self.client, Layout(self.name))
        admin = KafkaAdminClient(bootstrap_servers=self.kafka)
        topics = (self.stages, self.interactions, self.catalog, self.rules)
        admin.create_topics([NewTopic(topic, self.partitions, 1) for topic in topics])
        eventually(lambda: set(topics) <= set(admin.list_topics()), lambda: f"topics {topics}")
        admin.close()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.worker is not None:
            self.worker.kill()
        self.client.command(f"DROP DATABASE IF EXISTS {self.name} SYNC")
        self.client.close()

    @property
    def env(self) -> dict[str, str]:
        """The environment of the service's processes: nothing of the test's own settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECTRACE_")}
        own = {
            "RECTRACE_KAFKA": self.kafka,
            "RECTRACE_CLICKHOUSE": self.clickhouse,
            "RECTRACE_DATABASE": self.name,
            "RECTRACE_GROUP": self.name,
            "RECTRACE_TOPICS__STAGES": f'["{self.stages}"]',
            "RECTRACE_TOPICS__INTERACTIONS": self.interactions,
            "RECTRACE_TOPICS__CATALOG": self.catalog,
            "RECTRACE_TOPICS__RULES": self.rules,
        }
        return inherited | QUICK | own | dict(self.settings)

    # --- the worker

    def start(self, **settings: str) -> Child:
        """Start the worker; it is not ready yet."""
        self._port = free_port()
        command = [*RECTRACE, "worker", "--metrics-port", str(self._port)]
        self.worker = start("worker", command, self.directory / "worker.log", self.env | settings)
        return self.worker

    def start_ready(self) -> Child:
        """Start the worker, and wait until it is a member of the group."""
        worker = self.start()
        worker.wait_ready(lambda: self._get("/ready") is not None, READY)
        return worker

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.worker is not None
        self.worker.stop(30)
        return self.wait_exit()

    def wait_exit(self) -> int:
        """The exit code, once the worker has ended by itself."""
        worker = self.worker
        assert worker is not None
        eventually(lambda: worker.exit_code is not None, lambda: f"the worker ends{worker.tail()}")
        return worker.exit_code if worker.exit_code is not None else -1

    @property
    def log(self) -> str:
        return (self.directory / "worker.log").read_text()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        families = text_string_to_metric_families(self._get("/metrics") or "")
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    @property
    def address(self) -> str:
        """host:port of the worker's metrics."""
        return f"{LOOPBACK}:{self._port}"

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return None

    # --- Kafka

    def publish(
        self, topic: str, value: bytes | None, *, key: bytes | None = None, partition: int = 0, at: int | None = None
    ) -> Where:
        """Publish one record and wait for the broker. at: its record time in ms, else now."""
        told: list[Where] = []

        def delivered(error: object, message: Message) -> None:
            assert error is None, error
            told.append(Where(str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)))

        time_of = {} if at is None else {"timestamp": at}
        self._producer.produce(topic, value, key, partition, on_delivery=delivered, **time_of)
        assert self._producer.flush(30) == 0, f"{topic}: the broker does not acknowledge"
        return told[0]

    # --- ClickHouse and the command line

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        text = query.replace("$database", self.name)
        return [tuple(row) for row in self.client.query(text, parameters=parameters).result_rows]

    def ask(self, *words: str, code: int = 0) -> str:
        """What a command prints: stdout, or where it is to fail with another code than 0 what it says of that on
        stderr, if anything. In this process."""
        env = {name: None for name in os.environ if name.startswith("RECTRACE_")} | self.env
        done = CliRunner().invoke(app, list(words), env=env)
        assert done.exit_code == code, f"{words}: code {done.exit_code}\n{done.output}{done.exception!r}"
        return done.stdout if code == 0 else done.stderr or done.stdout
