"""One worker's whole state, between the runs of records it is fed and the batches it gives out. Knows no engine.

The order that makes it safe: `feed` runs, `take` a batch, write it, `acknowledge` it, commit `committable()`. An offset
is committable only when everything before it is written. `revoke` forgets all of it: the next owner reads again.
"""

import heapq
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.audit import audit
from schemas.catalog import decode_catalog
from schemas.interactions import decode_interaction
from schemas.parts import CatalogRow, Claim, DeadLetter, Event, InteractionRow, Part, RuleRow
from schemas.rule_log import rule_row
from streams.clocks import STALE_MS, GraceClock, Position, TopicTime
from streams.intake import TOO_LARGE, Read, Record, Run, dead_letter, read_events, read_rows
from streams.join import Join, Joined, JoinPolicy, Load, Open
from streams.limit import DeadLetterLimit, DeadLetterPolicy, TooManyDeadLetters
from streams.metrics import Metrics
from streams.outbox import ROW_OVERHEAD, Batch, FlushPolicy, Outbox, Rows
from streams.watermark import TopicPartition, Watermark

log = logging.getLogger(__name__)

Kind = Literal["stages", "interactions", "catalog", "rules"]
MAX_FINDINGS: Final = 500


class OffsetsWentBack(Exception):  # noqa: N818
    """A run began before the offset expected: the topic was lost or made again. See `Pipeline.restart`."""


@dataclass(frozen=True, slots=True)
class PipelinePolicy:
    """Times in ms, sizes in bytes."""

    stages: tuple[str, ...] = ("rectrace.stages",)
    interactions: str = "rectrace.interactions"
    catalog: str = "rectrace.catalog"
    rules: str = "rectrace.rules"
    late_horizon_ms: int = 2 * 24 * 3_600_000
    # a half for open requests, three eighths for what waits to be written, the rest for the run at which reading stops
    memory_bytes: int = 512_000_000
    audit_every: int = 1_000  # one in so many healthy events, chosen by their hash, and one of each version
    join: JoinPolicy = field(default_factory=JoinPolicy)
    flush: FlushPolicy = field(default_factory=FlushPolicy)
    limit: DeadLetterPolicy = field(default_factory=DeadLetterPolicy)


@dataclass(frozen=True, slots=True)
class Decoders:
    """What reads the values that are not stage events. Each raises `Invalid`."""

    interaction: Callable[[bytes, int], InteractionRow]  # raw, record_at
    catalog: Callable[[bytes | None, bytes | None, int], CatalogRow]  # key, raw (None: a tombstone), record_at
    rule: Callable[[bytes | None, bytes | None, int, Sequence[tuple[str, bytes]]], RuleRow]  # the same, and headers
    audit: Callable[[bytes], Sequence[tuple[str, str]]]  # a close look: (kind, field) of each finding

    @classmethod
    def of_schemas(cls) -> "Decoders":
        """Those of the contract."""
        return cls(decode_interaction, decode_catalog, rule_row, audit)

    def interaction_of(self, record: Record, record_at: int) -> InteractionRow | None:
        return None if record.value is None else self.interaction(record.value, record_at)

    def item_of(self, record: Record, record_at: int) -> CatalogRow:
        return self.catalog(record.key, record.value, record_at)

    def rule_of(self, record: Record, record_at: int) -> RuleRow:
        return self.rule(record.key, record.value, record_at, record.headers)


class _Place:
    """One topic-partition being read."""

    __slots__ = ("answered_at", "drained", "drained_at", "kind", "mark")

    def __init__(self, kind: Kind, mark: Watermark) -> None:
        self.kind = kind
        self.mark = mark
        self.drained = False
        self.drained_at = 0
        self.answered_at = 0


class Pipeline:
    """The state machine of one worker. `now` is the wall clock in ms, passed in everywhere."""

    def __init__(
        self,
        policy: PipelinePolicy,
        decoders: Decoders,
        metrics: Metrics,
        observe: Callable[[Part], None] = lambda part: None,
    ) -> None:
        self.policy = policy
        self.epoch = 0
        self._decoders = decoders
        self.metrics = metrics
        self._observe = observe
        self._limit = DeadLetterLimit(policy.limit)
        self._warned: set[str] = set()
        self._closed_by: Counter[str] = Counter()
        self._findings: set[tuple[str, str, str]] = set()
        self._senders: set[tuple[str, str | None]] = set()  # (component, version), of which one event was audited
        self._failed = False
        self._reset()

    def _reset(self) -> None:
        self._places: dict[tuple[str, int], _Place] = {}
        self._joins: dict[int, Join] = {}
        self._load = Load()
        self._outbox = Outbox(self.policy.flush)
        self._now = 0
        self._assigned: frozenset[tuple[str, int]] | None = None

    # --- in

    def feed(self, tp: tuple[str, int], records: Sequence[Record], now: int) -> None:
        """Take a run of one topic-partition, in the order of offsets.

        Raises `OffsetsWentBack` (nothing was taken) and `TooManyDeadLetters` (nothing more can be committed).
        """
        if not records:
            return
        place = self._places.get(tp) or self._place(tp)
        self._expect(place, records[0].offset)
        self._now = now
        run = Run(place.mark, records, now)
        read = self._feed_events(place, run) if place.kind == "stages" else self._feed_rows(place, run)
        place.mark.top = max(place.mark.top, read.top)
        place.mark.next = records[-1].offset + 1
        self._count(place.mark, len(records), read)
        self._check_limit(len(records), read.letters, now)
        self._evict()

    def _feed_events(self, place: _Place, run: Run) -> Read:
        mark, records, now = run
        join = self._joins.get(mark.partition) or self._join(mark.partition)
        read = read_events(run, self.policy.late_horizon_ms)
        self._bury(mark, read.letters, now)
        self._audit(read.events)
        if refused := join.add(read.events, mark, now):
            by_offset = {record.offset: record for record in records}
            for event, hold in refused:
                letter = dead_letter(mark, by_offset[event.offset], TOO_LARGE)
                read.letters.append(letter)
                self._outbox.put_letter(letter, hold, now)
        place.drained = False
        join.clock.read(self._topic_times(mark.partition))
        return read

    def _feed_rows(self, place: _Place, run: Run) -> Read:
        mark, decoders = place.mark, self._decoders
        rows = Rows([], [], [], 0, mark.hold(run.records[0].offset, max(mark.top, 0)))
        if place.kind == "interactions":
            read = read_rows(run, decoders.interaction_of, rows.interactions.append)
        elif place.kind == "rules":
            read = read_rows(run, decoders.rule_of, rows.rules.append)
        else:
            read = read_rows(run, decoders.item_of, rows.catalog.append)
        self._bury(mark, read.letters, run.now)
        rows.size = read.bytes + ROW_OVERHEAD * len(rows)
        if rows:
            self._outbox.put_rows(rows, run.now)
        else:
            rows.hold.taken = rows.hold.done = True
        return read

    def _bury(self, mark: Watermark, letters: Sequence[DeadLetter], now: int) -> None:
        for letter in letters:
            self._outbox.put_letter(letter, mark.hold_aside(letter.offset, mark.top), now)

    def _place(self, tp: tuple[str, int]) -> _Place:
        topic, partition = tp
        policy = self.policy
        kinds: dict[str, Kind] = {
            policy.interactions: "interactions",
            policy.catalog: "catalog",
            policy.rules: "rules",
        }
        kinds |= dict.fromkeys(policy.stages, "stages")
        if topic not in kinds:
            raise ValueError(f"topic {topic!r} is not one that this worker reads")
        place = self._places[TopicPartition(topic, partition)] = _Place(kinds[topic], Watermark(topic, partition))
        return place

    def _join(self, partition: int) -> Join:
        join = self._joins[partition] = Join(self.policy.join, GraceClock(), self._load, self._closed)
        return join

    def _expect(self, place: _Place, offset: int) -> None:
        mark = place.mark
        if mark.next is None or offset == mark.next:
            return
        if offset < mark.next:
            raise OffsetsWentBack(
                f"{mark.topic}-{mark.partition}: offset {mark.next} was to come, {offset} came: the topic was lost or "
                f"made again"
            )
        if place.kind == "stages":  # in a compacted topic gaps are no news
            self.metrics.gaps.labels(mark.topic).inc()

    def _closed(self, joined: Joined) -> None:
        self._outbox.put_part(joined, self._now)
        self._closed_by[joined.part.closed] += 1
        if not joined.late:
            self._observe(joined.part)

    def _audit(self, events: Sequence[Event]) -> None:
        """A close look at those that their hash chooses, and at one of each sender: it may send rarely."""
        every, senders = self.policy.audit_every, self._senders
        chosen = [event for event in events if not event.hash % every]
        latest = {(event.envelope.component, event.envelope.version): event for event in events}
        for sender in latest.keys() - senders:
            if len(senders) < MAX_FINDINGS:
                senders.add(sender)
                if latest[sender].hash % every:
                    chosen.append(latest[sender])
        for event in chosen:
            self.metrics.audited.inc()
            for kind, name in self._decoders.audit(event.raw):
                self._find((event.envelope.component, kind, name))

    def _find(self, labels: tuple[str, str, str]) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.add(labels)
        elif labels not in self._findings:  # names made up by a broken producer may not fill the memory
            labels = ("other", labels[1], "other")
        self.metrics.audit_findings.labels(*labels).inc()

    def _count(self, mark: Watermark, records: int, read: Read) -> None:
        metrics, topic = self.metrics, mark.topic
        metrics.consumed.labels(topic).inc(records)
        metrics.consumed_bytes.labels(topic).inc(read.bytes)
        if read.tombstones:
            metrics.tombstones.labels(topic).inc(read.tombstones)
        if read.replaced_times:
            metrics.untrusted_times.labels(topic).inc(read.replaced_times)
        for letter in read.letters:
            metrics.dead_letters.labels(topic, letter.reason).inc()
        if read.created_times and topic not in self._warned:
            self._warned.add(topic)
            log.warning(
                "topic %s carries its producers' times (CreateTime): windows go by them, and times ahead of now or "
                "older than %g h are replaced by the arrival. Set message.timestamp.type=LogAppendTime if you can.",
                topic,
                self.policy.late_horizon_ms / 3_600_000,
            )

    def _check_limit(self, records: int, letters: Sequence[DeadLetter], now: int) -> None:
        try:
            self._limit.add(now, records, letters)
        except TooManyDeadLetters:
            self._failed = True
            raise

    def _evict(self) -> None:
        """Close the oldest open requests, of any partition, until the rest fits."""
        load, policy = self._load, self.policy
        count, size = load.open - policy.join.max_open, load.open_bytes - policy.memory_bytes // 2
        if count <= 0 and size <= 0:
            return
        doomed: list[tuple[Join, Open]] = []
        for join, request in heapq.merge(*map(_oldest_first, self._joins.values()), key=lambda pair: pair[1].opened_at):
            if count <= 0 and size <= 0:
                break
            doomed.append((join, request))
            count -= 1
            size -= request.size
        for join, request in doomed:
            join.evict(request)

    # --- time

    def tick(self, now: int, positions: Mapping[TopicPartition, Position]) -> None:
        """Take what the consumer knows, for every topic-partition assigned, and close what is due."""
        self._now = now
        for tp, position in positions.items():
            place = self._places.get(tp) or self._place(tp)
            read = (place.mark.next or 0) >= position.delivered
            place.drained = read and position.position == position.highwater and now - position.answered_at < STALE_MS
            place.drained_at, place.answered_at = position.sent_at, position.answered_at
            if place.kind == "stages" and tp[1] not in self._joins:
                self._join(tp[1])
        for partition, join in self._joins.items():
            join.clock.tick(self._topic_times(partition))
            join.expire()
        self._export(now, positions)

    def _topic_times(self, partition: int) -> list[TopicTime]:
        """Of the topics that have this partition number: one that was deleted, or did not grow, holds up nothing."""
        unknown = TopicTime(-1, drained=False, answered_at=0)
        assigned = self._assigned
        tps = ((topic, partition) for topic in self.policy.stages)
        places = (self._places.get(tp) for tp in tps if assigned is None or tp in assigned)
        return [TopicTime(p.mark.top, p.drained, p.answered_at) if p else unknown for p in places]

    def _export(self, now: int, positions: Mapping[TopicPartition, Position]) -> None:
        metrics, load = self.metrics, self._load
        metrics.open_requests.set(load.open)
        metrics.held_bytes.labels("open").set(load.open_bytes)
        metrics.held_bytes.labels("unwritten").set(self._outbox.size)
        metrics.paused.set(self.paused)
        for reason, count in self._closed_by.items():
            metrics.closed.labels(reason).inc(count)
        self._closed_by.clear()
        metrics.late.inc(load.late)
        metrics.duplicates.inc(load.duplicates)
        load.late = load.duplicates = 0
        for (topic, partition), place in self._places.items():
            if place.mark.next is not None:
                metrics.current_offset.labels(topic, partition).set(place.mark.next)
            if place.mark.claimed >= 0:
                metrics.freshness.labels(topic, partition).set((now - place.mark.claimed) / 1000)
        for (topic, partition), position in positions.items():
            place = self._places[topic, partition]
            next_offset = position.position if place.mark.next is None else place.mark.next
            metrics.lag.labels(topic, partition).set(0 if place.drained else max(position.highwater - next_offset, 0))

    # --- out

    @property
    def paused(self) -> bool:
        """True while what waits to be written takes its part of the memory: stop reading."""
        return self._outbox.size > self.policy.memory_bytes * 3 // 8

    @property
    def open(self) -> int:
        """How many requests are open."""
        return self._load.open

    def take(self, now: int, *, force: bool = False) -> Batch | None:
        """The next batch if one is due (`force`: if there is anything), else None. One batch is out at a time."""
        if self._failed or not self._outbox.due(now, force=force):
            return None
        batch = self._outbox.take(self.epoch, now)
        batch.claims = self._claims(now)
        if batch.rows or batch.claims:
            return batch
        self._outbox.done(batch)
        return None

    def _claims(self, now: int) -> list[Claim]:
        """What will have landed with the batch just taken, where that is more than was said before."""
        claims = []
        for place in self._places.values():
            mark = place.mark
            if place.kind in ("stages", "rules"):  # a window is judged by the rules that were published before it
                before = mark.claimed
                until = mark.landed_until(now, place.drained_at if place.drained else None)
                if until is not None and until > before:
                    claims.append(Claim(mark.topic, mark.partition, until))
        return claims

    def count_refused(self, letters: Sequence[DeadLetter], now: int) -> None:
        """Events that the sink refused: they count for the limit like any other dead letter."""
        for letter in letters:
            self.metrics.dead_letters.labels(letter.topic, letter.reason).inc()
        self._check_limit(0, letters, now)

    def acknowledge(self, batch: Batch) -> None:
        """All of the batch is written. Does nothing if its partitions were revoked since it was taken."""
        if batch.epoch == self.epoch:
            self._outbox.done(batch)

    def committable(self) -> dict[TopicPartition, int]:
        """Per topic-partition, the offset before which everything is written."""
        if self._failed:
            return {}
        offsets = {TopicPartition(*tp): place.mark.committable() for tp, place in self._places.items()}
        return {tp: offset for tp, offset in offsets.items() if offset is not None}

    # --- change of ownership

    def revoke(self) -> None:
        """Forget everything: the partitions belong to nobody, and are read again from what was committed."""
        self.epoch += 1
        self._reset()
        self.metrics.forget_partitions()

    def assign(self, tps: Iterable[tuple[str, int]]) -> None:
        """What belongs to this worker from now on. Until it is said, every topic is waited for."""
        self._assigned = frozenset(tps)

    def expect(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Where reading begins after an assignment: a first run that begins later is a gap, and counted."""
        for tp, offset in offsets.items():
            place = self._places.get(tp) or self._place(tp)
            if place.mark.next is None:
                place.mark.next = offset

    def restart(self, tp: tuple[str, int]) -> None:
        """The offsets of tp begin anew. What was read of it closes and will be written; its offsets are void."""
        place = self._places.get(tp) or self._place(tp)
        if join := self._joins.get(tp[1]):  # their holds are of the old offsets
            for request in list(join.oldest_first()):
                join.evict(request)
        fresh = Watermark(place.mark.topic, place.mark.partition)
        fresh.claimed = place.mark.claimed
        place.mark, place.drained = fresh, False
        self.metrics.restarts.labels(place.mark.topic).inc()


def _oldest_first(join: Join) -> Iterator[tuple[Join, Open]]:
    return ((join, request) for request in join.oldest_first())
