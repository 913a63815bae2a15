"""Runs of records into events or rows, or dead letters. The per-record work of a worker is here: keep it tight."""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from xxhash import xxh3_64_intdigest

from schemas.envelope import decode
from schemas.errors import Invalid
from schemas.parts import DeadLetter, Event
from streams.clocks import LOG_APPEND_TIME, MAX_AHEAD_MS
from streams.watermark import Watermark

REPLAY_HEADER: Final = "rectrace-replay"
TOO_LARGE: Final = Invalid(
    "request_too_large", "$.request_id", "its request already has 256 different events or 8 MB of them"
)
_COMPONENT: Final = re.compile(rb'"component"\s*:\s*"([^"\\]{1,256})"')
_REQUEST_ID: Final = re.compile(rb'"request_id"\s*:\s*"([^"\\]{1,256})"')
_HEAD: Final = 4_096

Row = TypeVar("Row")


class Record(Protocol):
    """A Kafka record as aiokafka and kafka-python give it. timestamp in ms; timestamp_type 1 is LogAppendTime."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def timestamp_type(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Run(NamedTuple):
    """Records of one topic-partition in the order of their offsets, and when they came (ms)."""

    mark: Watermark
    records: Sequence[Record]
    now: int


class Read:
    """What a run came to. Events of a stages topic, rows of any other; letters in both."""

    __slots__ = ("bytes", "created_times", "events", "letters", "replaced_times", "tombstones", "top")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.letters: list[DeadLetter] = []
        self.top = -1  # highest record time, ms
        self.bytes = 0
        self.tombstones = 0
        self.created_times = 0
        self.replaced_times = 0


def read_events(run: Run, late_horizon_ms: int) -> Read:
    """Decode a run of a stages topic."""
    mark, records, now = run
    topic, partition = mark.topic, mark.partition
    low, high = now - late_horizon_ms, now + MAX_AHEAD_MS
    read = Read()
    top, size, keep = -1, 0, read.events.append
    for record in records:
        raw = record.value
        if raw is None:
            read.tombstones += 1
            continue
        size += len(raw)
        at = record_at = record.timestamp
        if record.timestamp_type != LOG_APPEND_TIME:
            read.created_times += 1
            if not low <= at <= high:
                read.replaced_times += 1
                record_at = now
        if record_at > top:  # noqa: PLR1730 - max() takes three times as long
            top = record_at
        try:
            envelope = decode(raw)
        except Invalid as error:
            read.letters.append(dead_letter(mark, record, error))
            continue
        replayed = bool(record.headers) and is_replay(record)
        keep(Event(envelope, raw, xxh3_64_intdigest(raw), record_at, at, topic, partition, record.offset, replayed))
    read.top, read.bytes = top, size
    return read


def read_rows(run: Run, decode_row: Callable[[Record, int], Row | None], keep: Callable[[Row], None]) -> Read:
    """Decode a run of another topic. Its record times only order versions of a row, so old ones are believed."""
    mark, records, now = run
    read = Read()
    for record in records:
        read.bytes += len(record.value or b"")
        at = record.timestamp
        record_at = at if record.timestamp_type == LOG_APPEND_TIME or 0 <= at <= now + MAX_AHEAD_MS else now
        read.replaced_times += record_at != at
        read.top = max(read.top, record_at)
        try:
            row = decode_row(record, record_at)
        except Invalid as error:
            read.letters.append(dead_letter(mark, record, error))
            continue
        if row is None:
            read.tombstones += 1
        else:
            keep(row)
    return read


def is_replay(record: Record) -> bool:
    """True if `rectrace dlq replay` published it."""
    return any(name == REPLAY_HEADER for name, _ in record.headers)


def dead_letter(mark: Watermark, record: Record, error: Invalid) -> DeadLetter:
    """The record, whole, with what is wrong; component and request id where the first bytes tell.

    Its time is the record's own, whatever that is: a time that was put in its place would be another one when the
    record is read again, and the same letter there twice.
    """
    raw = record.value or b""
    head = raw[:_HEAD]
    return DeadLetter(
        topic=mark.topic,
        partition=mark.partition,
        offset=record.offset,
        record_at=record.timestamp,
        key=record.key or b"",
        raw=raw,
        reason=error.reason,
        field=error.field,
        message=error.message,
        component=_found(_COMPONENT, head),
        request_id=_found(_REQUEST_ID, head),
    )


def _found(pattern: re.Pattern[bytes], head: bytes) -> str:
    match = pattern.search(head)
    return match[1].decode(errors="replace") if match else ""
