"""Events, parts and records for tests, made the way the pipeline makes them: from JSON bytes."""

import json
from collections.abc import Iterable
from typing import Any

import xxhash

from schemas.envelope import decode
from schemas.parts import Closed, Event, Part, Span

TOPIC = "rectrace.stages"


def raw(request_id: str, stage: str, component: str = "api", *, ts: int, **fields: Any) -> bytes:
    """The bytes of one stage event; a request gets a placement and k, a response items, unless given."""
    base: dict[str, Any] = {
        "schema_version": 1,
        "request_id": request_id,
        "ts": ts,
        "stage": stage,
        "component": component,
    }
    base |= {"placement": "home", "k": 3} if stage == "request" else {}
    base |= {"items": []} if stage == "response" else {}
    return json.dumps(base | fields).encode()


def event(
    data: bytes, record_at: int, *, offset: int = 0, raw_record_at: int | None = None, replayed: bool = False
) -> Event:
    """One decoded event with its origin; record_at in ms."""
    return Event(
        envelope=decode(data),
        raw=data,
        hash=xxhash.xxh3_64_intdigest(data),
        record_at=record_at,
        raw_record_at=record_at if raw_record_at is None else raw_record_at,
        topic=TOPIC,
        partition=0,
        offset=offset,
        replayed=replayed,
    )


def part(events: Iterable[Event], closed: Closed = "complete") -> Part:
    """A part of the request of its events."""
    held = list(events)
    span = Span(TOPIC, 0, min(e.offset for e in held), max(e.offset for e in held))
    return Part(held[0].envelope.request_id, held, closed, [], [span])
