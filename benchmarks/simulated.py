"""One worker in simulated time: the pipeline, ClickHouse, the seal, the rules and the alert engine as they are, without
a broker and without waiting. What is left out is how long the work itself takes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client
from prometheus_client import CollectorRegistry

from rectrace import alerting, judging, rule_publishing, wiring, worker
from rectrace.demo.first_rules import first_rules
from rectrace.demo.traffic import RULES, Message
from rectrace.settings import Settings
from schemas.alerts import Notification
from schemas.parts import WINDOW_S
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.seal import RUN_TABLES, Seal
from sinks.clickhouse.writer import ClickHouseSink
from streams.alerts.engine import Engine
from streams.clocks import Position
from streams.metrics import Metrics
from streams.pipeline import Decoders, Pipeline
from streams.sealer import Sealer
from streams.watermark import TopicPartition
from streams.windows import Windows

RUN: Final = 1_000  # records read at a time
LOOK_S: Final = 5.0  # between two looks of the alert engine where nothing was sealed
# What counts and is small; traces and items of the times that are only repeated are not needed.
REPEATED: Final = tuple(
    table for table in RUN_TABLES if table not in ("traces_runs", "item_outcomes_runs", "violations_runs")
)


class Record(NamedTuple):
    """As a Kafka client gives it: by its producer's clock."""

    offset: int
    timestamp: int  # ms
    key: bytes
    value: bytes
    timestamp_type: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


class Told(NamedTuple):
    """What Alertmanager would have been sent, and when (epoch seconds)."""

    at: float
    notification: Notification

    @property
    def fires(self) -> bool:
        return self.notification.ends_at > self.at


@dataclass
class Listener:
    """Stands for Alertmanager: of what it is sent again and again it keeps when it came first, and its newest words."""

    clock: Callable[[], float]
    told: list[Told] = field(default_factory=list)
    _known: dict[tuple[str, int], int] = field(default_factory=dict)  # place in told by fingerprint and start

    def send(self, notifications: Sequence[Notification]) -> None:
        for each in notifications:
            told = Told(self.clock(), each)
            known = self._known.get((each.fingerprint, each.starts_at))
            if told.fires and known is None:
                self._known[each.fingerprint, each.starts_at] = len(self.told)
                self.told.append(told)
            elif told.fires and known is not None:
                self.told[known] = Told(self.told[known].at, each)


class Simulation:
    """A worker on an empty database from `start` (epoch seconds) on, with the rules of the demo in force.

    alerts: whether the alert engine looks at what is sealed.
    """

    def __init__(self, settings: Settings, client: Client, start: float, *, alerts: bool = True) -> None:
        self.now = start
        self._client = client
        self._database = settings.database
        self.metrics = Metrics(CollectorRegistry())
        self._pipeline = Pipeline(worker.config(settings).policy, Decoders.of_schemas(), self.metrics)
        self._sink = ClickHouseSink(client, settings.database)
        topics = (*settings.topics.stages, settings.topics.rules)
        self._offsets: dict[TopicPartition, int] = {TopicPartition(topic, 0): 0 for topic in topics}
        rules = judging.rule_seal(settings, client, self.metrics)
        self.sealer = Sealer(
            store=Seal(client, settings.database, wiring.journey(settings), rules),
            policy=Windows(patience=settings.seal.patience, horizon=settings.join.late_horizon),
            partitions=lambda: [(topic, 0) for topic in topics],
            metrics=self.metrics,
            monotonic=lambda: self.now,
        )
        self.listener = Listener(lambda: self.now)
        self.engine: Engine = replace(
            alerting.engine(settings, client, self.metrics),
            targets={"listener": self.listener},
            monotonic=lambda: self.now,
        )
        self._alerts = alerts
        self._looked = float("-inf")
        published = rule_publishing.publishing(RULES, first_rules(), "benchmark", "")
        self._feed([Message(start, RULES, each.key or b"", each.value or b"") for each in published])

    def run(self, batches: Iterator[Sequence[Message]], until: float) -> None:
        """Take what comes in each second (`seconds`), with what a worker does once a second."""
        while self.now < until:
            batch = next(batches)
            self.now += 1.0
            self._feed(batch)
            self._work()

    def repeat(self, windows: Sequence[int], times: int) -> None:
        """The counts of sealed windows (epoch seconds), in turn and so many in all, in the windows that follow the
        newest sealed one: a past to compare with, without the work of making it. Then time goes on from there."""
        newest = int(self.now) // WINDOW_S * WINDOW_S
        for number, window in enumerate(windows):
            places = [newest + WINDOW_S * place for place in range(number, times, len(windows))]
            for table in (*REPEATED, "sealed"):
                name = f"{self._database}.{table}"
                self._client.command(
                    f"INSERT INTO {name} SELECT * REPLACE (toDateTime(place, 'UTC') AS window) FROM "
                    f"(SELECT * FROM {name} "
                    "WHERE window = toDateTime({window:UInt32}, 'UTC')) ARRAY JOIN {places:Array(UInt32)} AS place",
                    parameters={"places": places, "window": window},
                )
        for number in range(times):
            self.now = newest + WINDOW_S * (number + 1)
            self.engine.tick(self.now)

    def _feed(self, messages: Sequence[Message]) -> None:
        by_topic: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            by_topic[message.topic].append(message)
        for topic, held in by_topic.items():
            tp = TopicPartition(topic, 0)
            first = self._offsets.get(tp, 0)
            records = [
                Record(first + number, int(each.due * 1000), each.key, each.value) for number, each in enumerate(held)
            ]
            for begin in range(0, len(records), RUN):
                self._pipeline.feed(tp, records[begin : begin + RUN], int(self.now * 1000))
            self._offsets[tp] = first + len(records)

    def _work(self) -> None:
        ms = int(self.now * 1000)
        positions = {tp: Position(offset, offset, offset, ms, ms) for tp, offset in self._offsets.items()}
        self._pipeline.tick(ms, positions)
        self._flush(ms)
        sealed = self.sealer.tick(self.now)
        if self._alerts and (sealed or self.now - self._looked >= LOOK_S):
            self._looked = self.now
            self.engine.tick(self.now)

    def _flush(self, ms: int) -> None:
        """As streams/flush.py does, in its order."""
        sink = self._sink
        while batch := self._pipeline.take(ms):
            refused = sink.land(batch.parts)
            sink.write_dead_letters([*batch.letters, *refused])
            sink.write_interactions(batch.interactions)
            sink.write_catalog(batch.catalog)
            sink.write_rules(batch.rules)
            sink.write_progress(batch.claims)
            self._pipeline.acknowledge(batch)


@contextmanager
def simulation(settings: Settings, start: float, *, keep: bool = False, alerts: bool = True) -> Iterator[Simulation]:
    """In a database that is gone afterwards, unless it is to be kept."""
    client = wiring.clickhouse(settings)
    try:
        migrate(client, wiring.layout(settings))
        yield Simulation(settings, client, start, alerts=alerts)
    finally:
        if not keep:
            client.command(f"DROP DATABASE IF EXISTS {settings.database} SYNC")
        client.close()


def seconds(messages: Iterable[Message], start: float) -> Iterator[list[Message]]:
    """What is due within each second from start (epoch seconds) on."""
    held: list[Message] = []
    end = start + 1.0
    for message in messages:
        while message.due >= end:
            yield held
            held, end = [], end + 1.0
        held.append(message)
