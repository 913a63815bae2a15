"""Peers and the worker on one broker and the same bytes, in one run.

    uv run python -m benchmarks.pipeline                       # the local broker, 100,000 requests: about 5 minutes
    uv run python -m benchmarks.pipeline --apache              # Apache Kafka: needs Java 17, and Maven the first time
    uv run python -m benchmarks.pipeline --only aiokafka,rectrace --traces 20000

A topic is filled once (lz4; seven events a request, candidates in parallel arrays; record times at `--rate` requests a
second in windows that lie in the recent past). Then each contender reads it from its beginning in a process of its own,
one after the other. A rate is from the first record to the last: what it takes to start, to join a group and to get the
first bytes is left out. Events and traces are counted by each contender at its end: landed ones in ClickHouse.
On a machine that others use, `--repeat 3 --wait-idle 300` takes the best of three runs, each begun when it is idle.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.contenders import Contender
from benchmarks.idle import wait_until_idle
from benchmarks.job import Job, Result
from benchmarks.options import Options, parse
from benchmarks.table import render
from benchmarks.traffic import Filled, Traffic, catalog, create_topics, fill
from benchmarks.watching import published
from rectrace import settings, wiring
from rectrace.local.broker import start_broker
from rectrace.local.clickhouse import start_clickhouse
from rectrace.local.errors import LocalError
from rectrace.local.kafka_jvm import ApacheKafka
from rectrace.local.processes import start
from schemas.parts import WINDOW_MS
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.writer import ClickHouseSink

LIMIT: Final = 900.0  # seconds for one contender


@dataclass(frozen=True)
class Bench:
    """A filled topic, and a directory for logs and data."""

    options: Options
    kafka: str
    topic: str
    filled: Filled
    work: Path

    def run(self, contender: Contender) -> Result | str:
        """Its result, or why there is none."""
        try:
            with ExitStack() as stack:
                work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self.work, prefix=contender.name)))
                return self._run(contender, self._job(contender, work, stack), work)
        except LocalError as error:
            return str(error)

    def _job(self, contender: Contender, work: Path, stack: ExitStack) -> Job:
        job = Job(
            name=contender.name,
            kafka=self.kafka,
            topic=self.topic,
            partitions=self.options.partitions,
            events=self.filled.events,
            traces=self.options.traces,
            bound=self.options.bound,
            result=str(work / "result.json"),
        )
        if not contender.clickhouse:
            return job
        server = stack.enter_context(start_clickhouse(0, work / "clickhouse", work))
        prepared = settings.load(clickhouse=server.url)
        client = wiring.clickhouse(prepared)
        migrate(client, wiring.layout(prepared))
        if contender.rules:
            sink = ClickHouseSink(client, prepared.database)
            sink.write_catalog(catalog())
            sink.write_rules(published(contender.rules))
        return msgspec.structs.replace(
            job, clickhouse=server.url, clickhouse_pid=server.child.pid, seals=contender.seals
        )

    def _run(self, contender: Contender, job: Job, work: Path) -> Result | str:
        command = [sys.executable, "-m", f"benchmarks.contenders.{contender.module}", msgspec.json.encode(job).decode()]
        child = start(contender.name, command, work / "log")
        deadline = time.monotonic() + LIMIT
        try:
            while child.exit_code is None:
                if time.monotonic() > deadline:
                    return f"not done after {LIMIT:g} s{child.tail()}"
                time.sleep(0.1)
        finally:
            child.kill()
        if child.exit_code != 0:
            return f"exit code {child.exit_code}{child.tail()}"
        return msgspec.json.decode(Path(job.result).read_bytes(), type=Result)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 1 when a contender failed."""
    options = parse(__doc__ or "", arguments)
    try:
        with prepare(options) as bench:
            results = measure(bench)
    except LocalError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    failures = {name: result for name, result in results.items() if isinstance(result, str)}
    shown = {name: "failed, see below" if name in failures else result for name, result in results.items()}
    print("\n" + render(options.contenders, shown))
    for name, why in failures.items():
        print(f"\n{name}: {why}", file=sys.stderr)
    if options.json:
        options.json.write_bytes(msgspec.json.encode(list(results.values())))
    return 1 if failures else 0


def measure(bench: Bench) -> dict[str, Result | str]:
    """Run one contender after the other, and all of it again; of each the best run, or the first failure."""
    options = bench.options
    best: dict[str, Result | str] = {}
    for number in range(options.repeat):
        for contender in options.contenders:
            idle = not options.patience or wait_until_idle(options.patience)
            result = bench.run(contender)
            said = (
                f"{result.events_rate:,.0f} events/s, {result.cpu:.1f} s CPU"
                if isinstance(result, Result)
                else "failed"
            )
            print(f"{contender.name}, run {number + 1}: {said}{'' if idle else '; the machine was busy'}", flush=True)
            best[contender.name] = _better(best.get(contender.name), result)
    return best


def _better(known: Result | str | None, result: Result | str) -> Result | str:
    if isinstance(known, str) or isinstance(result, str) or known is None:
        return known if isinstance(known, str) else result
    return max(known, result, key=lambda each: each.events_rate)


@contextmanager
def prepare(options: Options) -> Iterator[Bench]:
    """Broker and filled topic."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rectrace-benchmark-")))
        print(_about(options), flush=True)
        kafka = _kafka(options, work, stack)
        topic = f"bench-{os.getpid()}-{int(time.time())}"
        others = {f"{topic}.{name}": 1 for name in ("interactions", "catalog", "rules")}
        create_topics(kafka, {topic: options.partitions} | others)
        started = time.monotonic()
        filled = fill(
            kafka, topic, Traffic(options.traces, _begin(options), options.rate, options.candidates).messages()
        )
        print(f"filled in {time.monotonic() - started:.0f} s: {filled.events:,} events, {filled.bytes / 1e6:,.0f} MB "
              f"of JSON, {filled.bytes / filled.events:,.0f} bytes each", flush=True)  # fmt: skip
        yield Bench(options, kafka, topic, filled, work)


def _kafka(options: Options, work: Path, stack: ExitStack) -> str:
    if options.kafka:
        return options.kafka
    if options.apache:
        return stack.enter_context(ApacheKafka(work / "kafka", options.partitions)).address
    return stack.enter_context(start_broker(0, work)).address


def _begin(options: Options) -> int:
    """Epoch ms of the first request: all windows are over before anything is published."""
    over = (time.time_ns() // 1_000_000 - WINDOW_MS) // WINDOW_MS * WINDOW_MS
    windows = -(-int(options.traces * 1000 / options.rate) // WINDOW_MS)
    return over - windows * WINDOW_MS


def _about(options: Options) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; Python {sys.version.split()[0]}, {os.cpu_count()} cores, "
        f"{memory:.0f} GB, load {os.getloadavg()[0]:.1f}; broker: {options.broker}, {options.partitions} partitions; "
        f"{options.traces:,} requests of {options.candidates} candidates, {options.rate:,.0f} a second; "
        f"best of {options.repeat}"
    )


if __name__ == "__main__":
    sys.exit(main())
