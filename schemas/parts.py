"""What the join hands to the sink: events with their origin, parts of traces, dead letters, claims of progress."""

from typing import Final, Literal

import msgspec

from schemas.envelope import Envelope

WINDOW_MS: Final = 10_000
WINDOW_S: Final = WINDOW_MS // 1000

Closed = Literal["complete", "settled", "timeout", "evicted"]


class Event(msgspec.Struct, gc=False):
    """One valid event and where it came from."""

    envelope: Envelope
    raw: bytes
    hash: int  # 64-bit content hash of raw: with record_at it breaks ties between two events of one identity
    record_at: int  # ms: the record's time, or its arrival where the record's time cannot be believed
    raw_record_at: int  # ms: the record's time as the broker gave it
    topic: str
    partition: int
    offset: int
    replayed: bool = False  # came from `rectrace dlq replay`


class Span(msgspec.Struct, frozen=True):
    """The first and last offset that a part holds of one topic-partition."""

    topic: str
    partition: int
    first: int
    last: int


class Part(msgspec.Struct):
    """What one worker saw of one request, once. Parts of a request merge by union of their events."""

    request_id: str
    events: list[Event]
    closed: Closed
    missing: list[str]  # expected components that did not come, for people to read: the seal computes its own
    spans: list[Span]
    far: bool = False  # it has a request event that may be a copy of one long before

    @property
    def flagged(self) -> bool:
        """True if its window may not be near its request's: the sweep looks such parts up over the whole horizon."""
        return self.far or any(event.replayed or event.record_at != event.raw_record_at for event in self.events)


class DeadLetter(msgspec.Struct):
    """A record that could not be taken, whole, with the reason and the field."""

    topic: str
    partition: int
    offset: int
    record_at: int  # ms
    key: bytes
    raw: bytes
    reason: str
    field: str
    message: str
    component: str = ""  # where the bytes tell
    request_id: str = ""

    @classmethod
    def of_event(cls, event: Event, reason: str, field: str, message: str) -> "DeadLetter":
        """One of an event that was read, and is refused when it is landed."""
        envelope = event.envelope
        return cls(
            topic=event.topic,
            partition=event.partition,
            offset=event.offset,
            record_at=event.raw_record_at,
            key=envelope.request_id.encode(),
            raw=event.raw,
            reason=reason,
            field=field,
            message=message,
            component=envelope.component,
            request_id=envelope.request_id,
        )


class Claim(msgspec.Struct, frozen=True):
    """Everything of this topic-partition with a record time below landed_until (ms) is in ClickHouse."""

    topic: str
    partition: int
    landed_until: int


class WindowState(msgspec.Struct, frozen=True):
    """A window that is not sealed, or not as it should be. Times in epoch seconds."""

    window: int
    rows: int  # landing rows plus strays naming it, now
    sealed_rows: int | None = None  # what its visible run read; None: never sealed
    incomplete: bool = False
    first_sealed_at: float = 0.0
    last_sealed_at: float = 0.0

    @property
    def dirty(self) -> bool:
        """True if there are rows that its visible run did not read."""
        return self.sealed_rows is not None and self.rows != self.sealed_rows


class Sealed(msgspec.Struct, frozen=True):
    """What one run of a seal counted. window in epoch seconds."""

    window: int
    rows: int
    requests: int
    orphans: int  # requests of which no request event is known


class SealStatus(msgspec.Struct, frozen=True):
    """Where the seal stands."""

    newest: int | None  # the newest window with a visible run, epoch seconds
    orphans: int


class InteractionRow(msgspec.Struct):
    """One valid interaction, times in epoch ms."""

    request_id: str
    item: str
    kind: str
    ts: int
    position: int | None
    value: float | None
    record_at: int


class CatalogRow(msgspec.Struct):
    """The state of one item from record_at on, times in epoch ms. deleted: a tombstone."""

    item: str
    record_at: int
    deleted: bool = False
    title: str = ""
    brand: str = ""
    category: str = ""
    price: float | None = None
    available: bool | None = None
    created_at: int | None = None
    image_url: str = ""
    attributes: dict[str, str] = {}


class RuleRow(msgspec.Struct):
    """One rule from record_at (epoch ms) on. deleted: it was disabled."""

    id: str
    record_at: int
    deleted: bool = False
    version: str = ""  # content hash
    owner: str = ""
    severity: str = ""
    scope: str = ""
    action: str = ""  # empty: it only watches
    rule: str = ""  # JSON, as published
    by: str = ""  # who published or disabled it, and why
    note: str = ""
