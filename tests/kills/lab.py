"""One schedule's own topics, database, group, proxy and workers, on a broker and a ClickHouse that may be shared."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from sinks.clickhouse.migrate import Layout, migrate
from tests.kills import rules, topics
from tests.kills.check import Findings, compare, unfinished
from tests.kills.load import Load
from tests.kills.proxy import ClickHouseProxy
from tests.kills.topics import Record
from tests.kills.traffic import Shape
from tests.kills.truth import Truth, truth
from tests.kills.workers import WorkerProcess

SETTLE = 240.0  # seconds from the end of the load until all is sealed: a dirty window waits until its age has doubled
SETTINGS = {
    "RECTRACE_SESSION_TIMEOUT": "4",
    "RECTRACE_JOIN__SETTLE": "1",
    "RECTRACE_JOIN__GRACE": "2",
    "RECTRACE_JOIN__MAX_WAIT": "12",  # a seal looks for parts two windows away: the sweep is for what is farther
    "RECTRACE_FLUSH__INTERVAL": "0.6",
    "RECTRACE_SEAL__INTERVAL": "1",
}


@dataclass(frozen=True)
class Form:
    """How much of a schedule: `kills` or what stands for them, under a load of at most so many seconds."""

    kills: int
    shape: Shape

    @property
    def long(self) -> bool:
        return self.kills > 10


SHORT = Form(3, Shape(seconds=70))
LONG = Form(24, Shape(seconds=900, rate=60))


@dataclass(frozen=True)
class Place:
    """Where schedules run."""

    kafka: str
    clickhouse: str
    directory: Path
    broker_time: bool = True


@dataclass
class Lab:
    """Use as a context manager. Topic names: `stages`, and one each of interactions, catalogue and rules."""

    place: Place
    name: str
    stages: int = 1  # topics
    idle: int = 0  # of them, the first so many get no event
    partitions: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> "Lab":
        token = f"{self.name}-{secrets.token_hex(3)}"
        self.database = token.replace("-", "_")
        self.topics = [f"{token}-stages{number}" for number in range(self.stages)]
        self.others = [f"{token}-{name}" for name in ("interactions", "catalog", "rules")]
        self.group = token
        self.workers: dict[str, WorkerProcess] = {}
        self.loads: list[Load] = []
        self.earlier: list[Record] = []  # of topics that are gone
        self._log_dir = self.place.directory / token
        self._client: Client | None = None
        return self

    def __exit__(self, *exc: object) -> None:
        for load in self.loads:
            load.stop()
        for worker in self.workers.values():
            worker.child.kill()
            worker.proxy.close()
        with suppress(OperationalError):  # it may be this schedule's own ClickHouse, and dead
            self.client.command(f"DROP DATABASE IF EXISTS {self.database} SYNC")

    # --- making it

    def prepare(self) -> "Lab":
        """Make the tables and the topics."""
        self.migrate()
        self.create_topics()
        return self

    def migrate(self) -> None:
        migrate(self.client, Layout(self.database))

    def create_topics(self) -> None:
        topics.create(self.place.kafka, self.topics, self.partitions, broker_time=self.place.broker_time)
        topics.create(self.place.kafka, self.others, 1, broker_time=False, compacted=True)
        rules.publish(self.place.kafka, self.others[-1])

    @property
    def client(self) -> Client:
        """Straight to ClickHouse, past the proxy."""
        if self._client is None:
            self._client = clickhouse_connect.get_client(dsn=self.place.clickhouse, autogenerate_session_id=False)
        return self._client

    def worker(self, name: str = "worker", **settings: str) -> WorkerProcess:
        """A started worker, with a way of its own to ClickHouse."""
        proxy = ClickHouseProxy(self.place.clickhouse)
        env = {
            "RECTRACE_KAFKA": self.place.kafka,
            "RECTRACE_CLICKHOUSE": proxy.url,
            "RECTRACE_DATABASE": self.database,
            "RECTRACE_GROUP": self.group,
            "RECTRACE_TOPICS__STAGES": json.dumps(self.topics),
            "RECTRACE_TOPICS__INTERACTIONS": self.others[0],
            "RECTRACE_TOPICS__CATALOG": self.others[1],
            "RECTRACE_TOPICS__RULES": self.others[2],
            **SETTINGS,
            **self.settings,
            **settings,
        }
        self.workers[name] = WorkerProcess(name, env, self._log_dir, proxy)
        return self.workers[name].start()

    def load(self, shape: Shape | None = None, partitions: int | None = None) -> Load:
        """A started load; the next one has other requests."""
        busy = self.topics[self.idle :]
        load = Load(self.place.kafka, busy, shape or Shape(), 1 + len(self.loads), partitions)
        self.loads.append(load)
        load.start()
        return load

    # --- what came of it

    @property
    def kills(self) -> int:
        return sum(worker.kills for worker in self.workers.values())

    def until(self, what: str, true: Callable[[], object], within: float = 120.0) -> None:
        """Wait until something is true; fail with what it was."""
        deadline = time.monotonic() + within
        while not true():
            assert time.monotonic() < deadline, f"{self.name}: not within {within:g} s: {what}\n{self._logs()}"
            time.sleep(0.4)

    def exceeds(self, what: str, number: Callable[[], int], least: int) -> None:
        """Wait until a number is above `least`."""
        self.until(f"{what} (more than {least})", lambda: number() > least)

    def happened(self, what: str, event: threading.Event, within: float = 60.0) -> None:
        assert event.wait(within), f"{self.name}: not within {within:g} s: {what}\n{self._logs()}"

    def landed(self) -> int:
        """Rows in landing now."""
        return self._number(f"SELECT count() FROM {self.database}.landing")

    def sealed(self, condition: str = "rows > 0") -> int:
        """Windows with a visible run for which the condition holds."""
        return self._number(f"SELECT count() FROM {self.database}.visible WHERE {condition}")

    def runs(self) -> int:
        """Finished runs, of any window."""
        return self._number(f"SELECT count() FROM {self.database}.sealed")

    def read(self) -> list[Record]:
        return self.earlier + topics.read(self.place.kafka, self.topics)

    def settle(self, within: float = SETTLE) -> str:
        """Wait for the end of the loads, then until ClickHouse is as the topics say; fail with the differences.

        Returns what there was, for people to read.
        """
        for load in self.loads:
            load.finish()
        records = self.read()
        due = truth(records)
        self._check_topic(records)
        ends = self._ends(records)
        self.until(f"all committed up to {ends}", lambda: not self._behind(ends), within)
        self._agree(due, within)
        return self._report(due)

    def _agree(self, due: Truth, within: float) -> None:
        """Right, and a moment later still right."""
        deadline = time.monotonic() + within
        agreed = 0
        while agreed < 2:
            problem: str | Findings | None = unfinished(self.client, self.database, due)
            problem = problem or compare(self.client, self.database, due)
            agreed = 0 if problem else agreed + 1
            assert not problem or time.monotonic() < deadline, f"{self.name}: {problem}\n{self._logs()}"
            time.sleep(1.5)

    def _check_topic(self, records: list[Record]) -> None:
        """What the broker acknowledged is in the topics: else the truth would be less than it must."""
        held = {record.hash for record in records}
        gone = [digest for load in self.loads for digest in load.acknowledged if digest not in held]
        assert not gone, f"{self.name}: the broker lost {len(gone)} acknowledged events"
        if self.place.broker_time:
            assert all(record.broker_time for record in records), f"{self.name}: the topics are not LogAppendTime"

    @staticmethod
    def _ends(records: list[Record]) -> dict[tuple[str, int], int]:
        ends: dict[tuple[str, int], int] = {}
        for record in records:  # in the order of reading: those of topics made again come last
            ends[record.topic, record.partition] = record.offset + 1
        return ends

    def _behind(self, ends: Mapping[tuple[str, int], int]) -> bool:
        committed = topics.committed(self.place.kafka, self.group, list(ends))
        return any(committed[place] < end for place, end in ends.items())

    def _number(self, query: str) -> int:
        return int(self.client.query(query).result_rows[0][0])

    def _report(self, due: Truth) -> str:
        slowest = {
            table: max(worker.proxy.slowest.get(table, 0.0) for worker in self.workers.values())
            for table in ("", "landing", "traces_runs", "item_outcomes_runs")
        }
        seconds = ", ".join(f"{table or 'others'} {took:.1f}" for table, took in slowest.items())
        conflicts = sum(trace.conflicts for trace in due.traces.values())
        return (
            f"{self.name}: {due.events} events, {len(due.traces)} requests, {conflicts} conflicts, "
            f"{len(due.traces) - len(due.homed)} orphans; {self.kills} kills, {self.landed()} parts landed, "
            f"{self.runs()} runs of {len(due.windows)} windows; 0 lost, 0 doubled, 0 thinned, every count right; "
            f"slowest statements (s): {seconds}"
        )

    def _logs(self) -> str:
        told = (f"--- {each.name}: {each.log[-2500:]}\n{each.numbers()}" for each in self.workers.values())
        return "\n".join(told)
