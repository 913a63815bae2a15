"""The worker on Faust: the only file that knows the engine. Everything it decides is in streams/pipeline.py.

Faust gives the app, the group membership, co-partitioned assignment, signals and tasks. Three of its parts are
replaced, with private names that tests/unit/test_faust_private.py holds to:

- its scheduler, so that the agent gets runs of up to 1,000 records of one partition instead of single records, which
  is about 25 times as fast;
- its book-keeping of acknowledged offsets, which commits past records that are still held: topics have `acks=False`
  and a consumer commits the pipeline's watermark;
- its consumer thread, to learn when the last successful fetch was *sent*: only up to then is a drained partition known
  to hold nothing more.
"""

import asyncio
import gc
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import faust
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.structs import TopicPartition as KafkaPartition
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP
from mode.supervisors import CrashingSupervisor
from prometheus_client import CollectorRegistry

from streams.clocks import Position
from streams.cluster import Cluster
from streams.flush import Flusher
from streams.live import LiveMetrics
from streams.metrics import Metrics
from streams.pipeline import Decoders, OffsetsWentBack, Pipeline, PipelinePolicy
from streams.ports import Sink
from streams.preflight import BadTopics, wait_for_topics
from streams.quiet import quieten
from streams.sealing import Sealing, Ticking
from streams.status import PortInUse, StatusServer
from streams.watermark import TopicPartition

log = logging.getLogger("streams.worker")  # streams.app is what Faust's services here log to: see run

RUN: Final = 1_000  # records handed over at a time
TICK: Final = 0.5  # seconds
FETCH_WAIT_MS: Final = 250
COMMIT_TIMEOUT: Final = 5.0
REVOKE_LIMIT: Final = 4.0  # seconds to flush and commit when partitions are revoked: the whole group waits
LOST_AFTER: Final = 5.0  # seconds that a partition must end before what was read of it
FROZEN: Final = 60.0  # seconds without a tick after which the worker is not alive
STUCK: Final = 300.0  # seconds with partitions but without reading, likewise: a broker may be away that long


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """Settings of one worker process. Times in seconds."""

    kafka: Cluster
    group: str = "rectrace"
    policy: PipelinePolicy = field(default_factory=PipelinePolicy)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0  # 0: a free one
    session_timeout: float = 10.0
    shutdown_limit: float = 15.0
    seal_interval: float = 1.0

    @property
    def topics(self) -> tuple[str, ...]:
        return (*self.policy.stages, *filter(None, (self.policy.interactions, self.policy.catalog, self.policy.rules)))


# --- replaced parts of the engine


class RunOfRecords:
    """Looks like one record, holds many of one partition: its value is the list of them, its offset the last one's."""

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, records: Sequence[Any]) -> None:
        last = records[-1]
        self.topic, self.partition, self.offset = last.topic, last.partition, last.offset
        self.timestamp, self.timestamp_type = last.timestamp, last.timestamp_type
        self.headers: tuple[()] = ()
        self.key = self.checksum = None
        self.value = records
        self.serialized_key_size = self.serialized_value_size = 0


class RunScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
    """Hands over runs, round robin over topics and partitions as Faust does with records."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        runs = {tp: [RunOfRecords(each[n : n + RUN]) for n in range(0, len(each), RUN)] for tp, each in records.items()}
        scheduled: Iterator[tuple[TP, Any]] = super().iterate(runs)
        return scheduled


class WatchfulThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Knows of every partition when its last successful fetch was sent, and how far it was read."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.positions: dict[TopicPartition, Position] = {}
        self._fetched: dict[TopicPartition, tuple[int, int, int]] = {}  # high-water mark, sent at, answered at
        self._delivered: dict[TopicPartition, int] = {}

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # One fetch a broker is under way at a time: one that waits for an idle partition keeps the others waiting.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        fetcher = self._ensure_consumer()._fetcher
        fetch = fetcher._proc_fetch_request

        async def timed(assignment: Any, node_id: Any, request: Any) -> Any:
            sent_at = _now()
            before = {tp: assignment.state_value(tp).timestamp for tp in _requested(request) if assignment.active}
            woken = await fetch(assignment, node_id, request)
            if assignment.active:
                for tp in before:
                    state = assignment.state_value(tp)
                    if state.timestamp is not None and state.timestamp >= sent_at:
                        self._fetched[TopicPartition(*tp)] = (state.highwater, sent_at, state.timestamp)
            return woken

        fetcher._proc_fetch_request = timed

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(consumer, *args, **kwargs)
        for tp, each in records.items():
            self._delivered[TopicPartition(*tp)] = each[-1].offset + 1
        self.positions = dict(self._read_positions(consumer))
        return records

    def _read_positions(self, consumer: Any) -> Iterator[tuple[TopicPartition, Position]]:
        subscription = consumer._subscription.subscription
        assignment = subscription and subscription.assignment
        if assignment and assignment.active:
            for kafka_tp in assignment.tps:
                tp, state = TopicPartition(*kafka_tp), assignment.state_value(kafka_tp)
                if state.has_valid_position and tp in self._fetched:
                    highwater, sent_at, answered_at = self._fetched[tp]
                    delivered = self._delivered.get(tp, 0)
                    yield tp, Position(state.position, highwater, delivered, sent_at, answered_at)

    def is_member(self) -> bool:
        """True while the group knows this worker; a broker may take commits of strangers, too."""
        return bool(self._ensure_consumer()._coordinator.generation != OffsetCommitRequest.DEFAULT_GENERATION_ID)

    def forget(self) -> None:
        """What was known of partitions that were revoked."""
        self.positions, self._fetched, self._delivered = {}, {}, {}


class LateConsumer(driver.Consumer):  # type: ignore[misc]
    """Commits the pipeline's watermark. Faust's commit timer, shutdown commit and sensors stay as they are."""

    app: "WorkerApp"

    def _new_consumer_thread(self) -> WatchfulThread:
        return WatchfulThread(self, loop=self.loop, beacon=self.beacon)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        state = self.app.sensors.on_commit_initiated(self)
        committed = await self._commit_watermark()
        self.app.sensors.on_commit_completed(self, state)
        return committed

    async def _commit_watermark(self) -> bool:
        known = self._committed_offset
        offsets = {
            TP(*tp): offset
            for tp, offset in self.app.worker.pipeline.committable().items()
            if offset > (known.get(TP(*tp)) or 0)
        }
        if not offsets or not self._thread.is_member():
            return (
                False  # a worker that lost its membership may not commit: others may have read on, or all begins anew
            )
        try:
            committed = await asyncio.wait_for(self._commit_offsets(offsets), COMMIT_TIMEOUT)
        except TimeoutError:
            log.warning(
                "committing offsets took more than %.0f s: does a broker answer at %s? Trying again.",
                COMMIT_TIMEOUT,
                self.app.worker.config.kafka,
            )
            committed = False
        if committed:
            self.app.worker.committed(offsets)
        else:
            self.app.worker.metrics.commit_failures.inc()
            for tp in offsets:
                known.pop(tp, None)  # Faust takes it as committed even when it was not
        return bool(committed)

    async def perform_seek(self) -> None:
        """Where nothing is committed Faust seeks nowhere, and what it dropped in a rebalance would be lost."""
        await super().perform_seek()
        known = self._committed_offset
        if fresh := [KafkaPartition(*tp) for tp in self.assignment() if not known.get(tp)]:
            await self._thread.seek_to_beginning(*fresh)
        for tp in self.assignment():
            self._read_offset[tp] = known.get(tp)
        self.app.worker.begin({TopicPartition(*tp): known[tp] for tp in self.assignment() if known.get(tp)})

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: the full queue itself makes the reader wait. Faust, with every partition full, sleeps for 1 s."""

    def on_buffer_drop(self, tp: TP) -> None:
        pass

    async def seek_to_beginning(self, tp: TopicPartition) -> None:
        """What lies behind is void."""
        await self._thread.seek_to_beginning(KafkaPartition(*tp))
        self._forget_offsets(TP(*tp))
        self.app.worker.pipeline.restart(tp)

    def _forget_offsets(self, tp: TP) -> None:
        self._read_offset[tp] = None
        self._committed_offset.pop(tp, None)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        records = await super()._getmany(active_partitions, timeout)
        for tp, each in records.items():
            read = self._read_offset.get(TP(*tp))
            if read is not None and each[0].offset < read:
                self._forget_offsets(TP(*tp))  # else Faust drops them without a word; the pipeline says what happened
        return records


class LateTransport(driver.Transport):  # type: ignore[misc]
    Consumer = LateConsumer


class PatientRecovery(Recovery):  # type: ignore[misc]
    """What begins to read after a rebalance. Faust's takes a time-out of the seek for a stop of the service and ends:
    a worker that was frozen, or whose broker was away, for 30 s just then would never read again, and not say so."""

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        """Until it is done, another rebalance begins or the service stops, however long that takes."""
        await super()._wait(coro)


class PatientTables(TableManager):  # type: ignore[misc]
    """There are no tables, but what follows a rebalance is theirs to start."""

    _recovery: PatientRecovery | None

    @property
    def recovery(self) -> PatientRecovery:
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class WorkerApp(faust.App):  # type: ignore[misc]
    """A Faust app with the replaced parts."""

    worker: "Worker"

    def _new_transport(self) -> LateTransport:
        return LateTransport(self.conf.broker_consumer, self)


# --- the worker


class Worker:
    """Fits pipeline, sink and engine together."""

    def __init__(self, config: WorkerConfig, sink: Sink, sealer: Ticking | None, metrics: Metrics) -> None:
        self.config = config
        self.metrics = metrics
        live = LiveMetrics()
        metrics.registry.register(live)
        self.pipeline = Pipeline(config.policy, Decoders.of_schemas(), self.metrics, live.observe)
        self._executor = ThreadPoolExecutor(1, "sink")
        self._sealing = None if sealer is None else Sealing(sealer, metrics)
        self.app = _faust_app(config)
        self.app.worker = self
        self.flusher = Flusher(self.pipeline, sink, self._executor, self._commit)
        self.owned: frozenset[TopicPartition] = frozenset()
        self.joined = False
        self._reading = False  # between a seek to what was committed and the next revocation
        self._assigned_at = time.monotonic()
        self.failure: BaseException | None = None
        self._ticked = time.monotonic()
        self._beyond: dict[TopicPartition, float] = {}  # read further than its end; since when, monotonic
        self._register()

    def _register(self) -> None:
        app, config = self.app, self.config
        topic = app.topic(*config.topics, key_serializer="raw", value_serializer="raw", acks=False)
        app.agent(topic, name="rectrace-read")(self._read)
        app.task(self._flush_loop)
        app.task(self._tick_loop)
        if self._sealing is not None:
            app.task(self._seal_loop)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)
        app.on_before_shutdown.connect(self._on_shutdown, weak=False)

    # --- reading

    async def _read(self, stream: Any) -> None:
        async for event in stream.events():
            epoch = self.pipeline.epoch
            self.feed(event.message)  # no await since the stream checked that the partition is still ours
            while self.pipeline.paused and self.pipeline.epoch == epoch:
                await asyncio.sleep(0.05)

    def begin(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Reading begins at these offsets; where nothing is committed, at the beginning."""
        self.pipeline.expect(offsets)
        self._reading = True

    def feed(self, message: Any) -> None:
        """Take one run."""
        tp, records, now = TopicPartition(*message.tp), message.value, _now()
        if not self._reading:
            return  # left over from before a rebalance: it is read again
        try:
            try:
                self.pipeline.feed(tp, records, now)
            except OffsetsWentBack as error:
                log.warning("%s. Reading it from where it begins now; what was read before is written.", error)
                self.pipeline.restart(tp)
                self.pipeline.feed(tp, records, now)
        except Exception as error:
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error

    # --- loops

    async def _flush_loop(self) -> None:
        while not self.app.should_stop:
            try:
                written = await self.flusher.flush()
            except Exception as error:
                self._fail(error)
                raise
            await asyncio.sleep(0 if written else 0.05)

    async def _tick_loop(self) -> None:
        while not self.app.should_stop:
            await asyncio.sleep(TICK)
            self._ticked = time.monotonic()
            thread = self.app.consumer._thread
            positions = {tp: at for tp, at in thread.positions.items() if tp in self.owned}
            self.pipeline.tick(_now(), positions)
            await self._restart_lost(positions)

    async def _restart_lost(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Go to the beginning where the log is shorter than what was read of it, as a broker in memory comes back.

        Apache Kafka answers such a fetch with an error, on which its client goes there itself; after an election its
        high-water mark may be behind for a moment, so this waits.
        """
        beyond = {tp for tp, at in positions.items() if at.position > at.highwater}
        now = time.monotonic()
        self._beyond = {tp: self._beyond.get(tp, now) for tp in beyond}
        for tp in [tp for tp, since in self._beyond.items() if now - since > LOST_AFTER]:
            del self._beyond[tp]
            log.warning(
                "%s-%d ends at offset %d, but offset %d was to be read next: its log was lost or made again. Reading "
                "it from the beginning; what was read before is written.",
                *tp,
                positions[tp].highwater,
                positions[tp].position,
            )
            await self.app.consumer.seek_to_beginning(tp)

    async def _seal_loop(self) -> None:
        firsts = {TopicPartition(topic, 0) for topic in self.config.policy.stages}  # any of them may be deleted
        while not self.app.should_stop:
            await asyncio.sleep(self.config.seal_interval)
            if self._sealing is not None:
                self._sealing.step(not firsts.isdisjoint(self.owned))

    # --- ownership

    async def _commit(self) -> None:
        await self.app.consumer.commit()

    def committed(self, offsets: Mapping[TP, int]) -> None:
        for tp, offset in offsets.items():
            self.metrics.committed_offset.labels(tp.topic, tp.partition).set(offset)

    async def _on_assigned(self, _app: Any, assigned: Iterable[TP], **_: Any) -> None:
        self.owned = frozenset(TopicPartition(*tp) for tp in assigned)
        self.pipeline.assign(self.owned)
        self.joined = True
        self._assigned_at = time.monotonic()
        log.info("assigned: %s", _listed(self.owned))

    async def _on_revoked(self, _app: Any, revoked: Iterable[TP], **_: Any) -> None:
        """Write what is closed, commit, drop the rest: an exception here would hang the worker."""
        if self.owned:
            await self._drain(REVOKE_LIMIT, "rebalance")
            self.metrics.rebalances.inc()
        self.owned = frozenset()
        self._reading = False
        self.pipeline.revoke()
        self.app.consumer._thread.forget()

    async def _on_shutdown(self, _app: Any, **_: Any) -> None:
        _end_process_after(self.config.shutdown_limit)
        await self._drain(self.config.shutdown_limit * 0.6, "shutdown")

    async def _drain(self, limit: float, why: str) -> None:
        try:
            await asyncio.wait_for(self.flusher.drain(), limit / 2)
        except Exception as error:
            log.warning("%s: not all was written (%s); it will be read again", why, error or "no time left")
        try:
            await asyncio.wait_for(self._commit(), limit / 2)
        except Exception as error:
            log.warning("%s: could not commit (%s); some will be read again", why, error or "no time left")

    # --- health

    def live(self) -> str | None:
        """What is wrong if the worker hangs."""
        silent = time.monotonic() - self._ticked
        if silent > FROZEN:
            return f"no sign of life for {silent:.0f} s"
        return self._not_reading(STUCK)

    def _not_reading(self, after: float) -> str | None:
        waited = time.monotonic() - self._assigned_at
        if not self.owned or self._reading or waited <= after:
            return None
        return f"was assigned partitions {waited:.0f} s ago, and has not begun to read them"

    def ready(self) -> str | None:
        """What keeps it from working."""
        if not self.joined:
            return "not in the consumer group yet"
        if since := self.flusher.unavailable_since:
            return f"cannot write for {time.monotonic() - since:.0f} s"
        return self._not_reading(0) or self.live()


def build(config: WorkerConfig, sink: Sink, sealer: Ticking | None, metrics: Metrics) -> WorkerApp:
    """The Faust app of one worker, with everything connected; `app.worker` is its Worker."""
    return Worker(config, sink, sealer, metrics).app


def run(config: WorkerConfig, sink: Sink, sealer: Ticking | None = None, metrics: Metrics | None = None) -> int:
    """Run a worker until a signal or a failure. Returns the exit code: 0 stopped, 1 failed, 2 wrong configuration.

    Logging is the caller's to set up.
    """
    gc.set_threshold(50_000, 20, 100)  # collections are the largest single cost of the fast path
    for name in ("aiokafka", "faust", "mode", "streams.app"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mode.timers").setLevel(logging.ERROR)  # it warns of each commit that waits for the broker
    quieten(("aiokafka", "faust", "mode"))
    app = build(config, sink, sealer, metrics or Metrics(CollectorRegistry()))
    worker = app.worker
    try:
        status = StatusServer(
            config.metrics_host, config.metrics_port, worker.metrics.registry, worker.live, worker.ready
        )
        log.info("metrics on http://%s:%d/metrics", status.host, status.port)
        asyncio.run(wait_for_topics(config.kafka, config.policy.stages, config.topics[len(config.policy.stages) :]))
    except (BadTopics, PortInUse) as error:
        log.critical("%s", error)
        return 2
    except KeyboardInterrupt:
        return 0
    code = _execute(app)
    if worker.failure is not None:
        log.critical("stopped: %s", worker.failure)
        return 1
    return code


def _execute(app: WorkerApp) -> int:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None  # it writes control sequences to what may be a log
    try:
        worker.execute_from_commandline()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def _faust_app(config: WorkerConfig) -> WorkerApp:
    session = config.session_timeout
    return WorkerApp(
        config.group,
        broker=";".join(f"kafka://{address.strip()}" for address in config.kafka.brokers.split(",")),
        broker_credentials=_credentials(config.kafka),
        datadir=tempfile.gettempdir(),  # Faust wants one; without tables it writes nothing there
        web_enabled=False,  # its server would listen on all interfaces, without authentication
        ConsumerScheduler=RunScheduler,
        TableManager=PatientTables,
        agent_supervisor=CrashingSupervisor,  # the default starts again at the next run: 1,000 records skipped
        stream_buffer_maxsize=16,  # runs, not records
        stream_wait_empty=False,  # True waits for held events, for ever, in every rebalance
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 5,
        broker_rebalance_timeout=max(session, 10.0),
        broker_request_timeout=max(session, 30.0),
        broker_max_poll_interval=365 * 86_400.0,  # a member that exceeds it leaves the group and never comes back
        broker_max_poll_records=10_000,
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=10_000,  # a partition that is added is read soon: until then nothing is sealed
    )


def _credentials(kafka: Cluster) -> Any:
    """None: in plain text, and nobody logs in."""
    if kafka.login:
        login = kafka.login
        return faust.SASLCredentials(
            username=login.username, password=login.password, mechanism=login.mechanism, ssl_context=kafka.tls
        )
    return faust.SSLCredentials(context=kafka.tls) if kafka.tls else None


def _requested(request: Any) -> list[KafkaPartition]:
    return [KafkaPartition(topic, each[0]) for topic, partitions in request.topics for each in partitions]


def _listed(owned: Iterable[TopicPartition]) -> str:
    return ", ".join(f"{topic}-{partition}" for topic, partition in sorted(owned)) or "nothing (standing by)"


def _end_process_after(seconds: float) -> None:
    """With the broker away, Faust's shutdown hangs."""

    def end() -> None:
        time.sleep(seconds)
        log.warning("shutdown took more than %.0f s: ending the process; what was not committed is read again", seconds)
        logging.shutdown()
        os._exit(1)

    threading.Thread(target=end, name="shutdown-limit", daemon=True).start()


def _now() -> int:
    return time.time_ns() // 1_000_000
