"""The real worker, as `rectrace worker` runs it with its default settings: decode, join, live metrics, audit, commits.

- no sink: the sink makes the rows of ClickHouse (NDJSON bytes), throws them away and acknowledges;
- landing: the ClickHouse sink, and nobody seals;
- landing and seal: the sealer too; done when every window of the topic is sealed and holds every request.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from benchmarks.job import SESSION_TIMEOUT, Job, Stopwatch, this_job
from rectrace import judging, wiring, worker
from rectrace import settings as settings_module
from rectrace.kafka_cluster import cluster
from rectrace.settings import Settings
from schemas.parts import CatalogRow, Claim, DeadLetter, InteractionRow, Part, RuleRow
from sinks.clickhouse import rows
from sinks.clickhouse.seal import Seal
from sinks.clickhouse.writer import ClickHouseSink
from streams import app
from streams.metrics import Metrics
from streams.ports import Sink
from streams.sealer import Sealer
from streams.windows import Windows

LOOK: Final = 0.002  # seconds between two looks for the first record


class NullSink:
    """Encodes parts as the ClickHouse sink does, and acknowledges everything."""

    def land(self, parts: Sequence[Part]) -> list[DeadLetter]:
        rows.encode(parts)
        return []

    def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        raise RuntimeError(f"{len(letters)} dead letters: {letters[0].message}")

    def write_interactions(self, rows: Sequence[InteractionRow]) -> None: ...

    def write_catalog(self, rows: Sequence[CatalogRow]) -> None: ...

    def write_rules(self, rows: Sequence[RuleRow]) -> None: ...

    def write_progress(self, claims: Sequence[Claim]) -> None: ...


class Counted:
    """A sink that counts what another one acknowledged, and takes the time.

    A flush is due when it is full or after `flush.interval`, so the last one waits for the clock and not for the
    worker: the time is taken when the one before it is acknowledged, and the last is only counted.
    """

    def __init__(self, inner: Sink, watch: Stopwatch) -> None:
        self._inner = inner
        self._watch = watch
        self.events = self.traces = 0

    @property
    def all_landed(self) -> bool:
        return self.events >= self._watch.job.events

    def land(self, parts: Sequence[Part]) -> list[DeadLetter]:
        refused = self._inner.land(parts)
        whole = sum(part.closed == "complete" for part in parts)
        landed = sum(len(part.events) for part in parts) - len(refused)
        first, last = self.events == 0, self.events + landed >= self._watch.job.events
        self.events += landed
        self.traces += whole
        if first or not last:
            self._watch.lap(self.events)
        return refused

    def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self._inner.write_dead_letters(letters)

    def write_interactions(self, rows: Sequence[InteractionRow]) -> None:
        self._inner.write_interactions(rows)

    def write_catalog(self, rows: Sequence[CatalogRow]) -> None:
        self._inner.write_catalog(rows)

    def write_rules(self, rows: Sequence[RuleRow]) -> None:
        self._inner.write_rules(rows)

    def write_progress(self, claims: Sequence[Claim]) -> None:
        self._inner.write_progress(claims)


class SealedUntilDone:
    """The sealer, and after each of its ticks the question whether everything is sealed."""

    def __init__(self, inner: Sealer, counted: Counted, tables: "Tables", watch: Stopwatch) -> None:
        self._inner = inner
        self._counted = counted
        self._tables = tables
        self._watch = watch
        self.done = False

    def tick(self, now: float) -> None:
        self._inner.tick(now)
        if self._counted.all_landed and not self.done and self._tables.sealed() >= self._watch.job.traces:
            self._watch.lap(self._counted.events)
            self.done = True


class Tables:
    """What is in ClickHouse."""

    def __init__(self, settings: Settings) -> None:
        self._client = wiring.clickhouse(settings)
        self._database = settings.database

    def sealed(self) -> int:
        """Requests of visible runs."""
        return self._ask("sum(requests) FROM {}.visible")[0]

    def landed(self) -> tuple[int, int]:
        """Events, and whole traces."""
        events, traces = self._ask("sum(length(stages)), countIf(closed = 'complete') FROM {}.landing")
        return events, traces

    def served(self) -> tuple[int, int]:
        """Events, and whole traces, as readers see them."""
        events, traces = self._ask("sum(length(stages)), countIf(responded AND empty(missing)) FROM {}.traces")
        return events, traces

    def _ask(self, what: str) -> list[int]:
        answer = self._client.query("SELECT " + what.format(self._database))
        return [int(value) for value in answer.result_rows[0]]


def start_at_first_record(metrics: Metrics, watch: Stopwatch) -> None:
    """Look at the counter of records until it moves; the thread ends then."""
    while not (seen := consumed(metrics)):
        time.sleep(LOOK)
    watch.start(seen)


def consumed(metrics: Metrics) -> int:
    """Records fed to the pipeline."""
    samples = (sample for family in metrics.consumed.collect() for sample in family.samples)
    return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))


def main() -> int:
    job = this_job()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    watch, metrics, settings = Stopwatch(job), Metrics(CollectorRegistry()), settings_of(job)
    tables = Tables(settings) if job.clickhouse else None
    counted = Counted(sink_of(settings) if tables else NullSink(), watch)
    sealer = None
    if tables and job.seals:
        sealer = SealedUntilDone(sealer_of(settings, metrics), counted, tables, watch)
    threading.Thread(target=start_at_first_record, args=(metrics, watch), daemon=True).start()
    threading.Thread(target=stop_at_the_end, args=(counted, sealer), daemon=True).start()
    code = app.run(worker.config(settings), counted, sealer, metrics)
    if code == 0:
        found = (counted.events, counted.traces)
        if tables:
            found = tables.served() if sealer else tables.landed()
        watch.report(*found)
    return code


def stop_at_the_end(counted: Counted, sealer: SealedUntilDone | None) -> None:
    """Stop the worker as an operator does."""
    while not (sealer.done if sealer else counted.all_landed):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)


def settings_of(job: Job) -> Settings:
    """The defaults, but for addresses, topic names and what delays the start."""
    return settings_module.load(
        kafka=job.kafka,
        group=f"{job.name}-{os.getpid()}",
        session_timeout=SESSION_TIMEOUT,
        clickhouse=job.clickhouse or None,
        database=job.database,
        topics={"stages": (job.topic,)}
        | {name: f"{job.topic}.{name}" for name in ("interactions", "catalog", "rules")},
        metrics={"port": 0},
    )


def sink_of(settings: Settings) -> Sink:
    return ClickHouseSink(wiring.clickhouse(settings), settings.database)


def sealer_of(settings: Settings, metrics: Metrics) -> Sealer:
    """As rectrace.worker makes it."""
    client = wiring.clickhouse(settings)
    return Sealer(
        store=Seal(client, settings.database, wiring.journey(settings), judging.rule_seal(settings, client, metrics)),
        policy=Windows(patience=settings.seal.patience, horizon=settings.join.late_horizon),
        partitions=wiring.Partitions(cluster(settings), (*settings.topics.stages, settings.topics.rules)),
        metrics=metrics,
    )


if __name__ == "__main__":
    sys.exit(main())
