"""Parts of traces as NDJSON rows of `landing`. The candidate arrays are spliced in as the bytes they came as."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from schemas.envelope import NONE, Envelope
from schemas.parts import WINDOW_MS, WINDOW_S, Event, Part, Span

_Seconds = msgspec.Raw  # a DateTime64(3) as JSON: seconds with three decimals
_LATEST_MS: Final = 10_413_791_999_999  # the end of 2299


class StageRow(msgspec.Struct, gc=False, omit_defaults=True):
    """One element of `landing.stages`; what is left out takes ClickHouse's default."""

    stage: str
    component: str
    record_at: _Seconds
    hash: int
    ts: _Seconds
    attempt: int = 0
    seq: int | None = None
    version: str = ""
    duration_ms: float | None = None
    status: str = ""  # always set: what is left out would be stored as empty
    error: str = ""
    n_in: int | None = None
    n_out: int | None = None
    n_unique: int | None = None
    has_items: bool = False
    items: msgspec.Raw | None = None
    scores: msgspec.Raw | None = None
    dropped: msgspec.Raw | None = None
    dropped_counts: msgspec.Raw | None = None
    adjustments: msgspec.Raw | None = None
    truncated: bool = False
    served_by: str = ""


class PartRow(msgspec.Struct, gc=False, omit_defaults=True):
    """One row of `landing`."""

    window: int
    request_id: str
    at: _Seconds
    stages: list[StageRow]
    closed: str
    spans: list[Span]
    missing: list[str] = []
    has_request: bool = False
    request_hash: int = 0
    requested_at: _Seconds | None = None
    user_id: str = ""
    placement: str = ""
    k: int = 0
    segments: dict[str, str] = {}
    experiments: dict[str, str] = {}
    context: str = ""
    expects: list[str] = []
    flagged: bool = False


_encoder: Final = msgspec.json.Encoder()
COLUMNS: Final = tuple(PartRow.__struct_fields__)


def encode(parts: Iterable[Part]) -> bytes:
    """NDJSON, one line a part."""
    return _encoder.encode_lines([part_row(part) for part in parts])


def part_row(part: Part) -> PartRow:
    """The row of one part. Its window is that of its lowest (record time, hash) request event, else of its first."""
    request = lowest_request(part.events)
    home = request or min(part.events, key=_order)
    row = PartRow(
        window=home.record_at // WINDOW_MS * WINDOW_S,
        request_id=part.request_id,
        at=seconds(home.record_at),
        stages=[_stage_row(event) for event in part.events],
        closed=part.closed,
        spans=part.spans,
        missing=part.missing,
        flagged=part.flagged,
    )
    if request:
        _add_request(row, request)
    return row


def lowest_request(events: Iterable[Event]) -> Event | None:
    """The request event that all request columns come from, if there is one."""
    return min((event for event in events if event.envelope.stage == "request"), key=_order, default=None)


def _order(event: Event) -> tuple[int, int]:
    """As the merge orders them: what is not stored must not decide, or it would matter how parts were cut."""
    return event.record_at, event.hash


def _add_request(row: PartRow, request: Event) -> None:
    envelope = request.envelope
    row.has_request = True
    row.request_hash = request.hash
    row.requested_at = seconds(envelope.ts_ms)
    row.user_id = "" if envelope.user_id is None else str(envelope.user_id)
    row.placement = envelope.placement or ""
    row.k = envelope.k or 0
    row.segments = _texts(envelope.segments)
    row.experiments = _texts(envelope.experiments)
    row.context = "" if envelope.context == NONE else bytes(envelope.context).decode()
    row.expects = envelope.expects or []


def _stage_row(event: Event) -> StageRow:
    envelope = event.envelope
    return StageRow(
        stage=envelope.stage,
        component=envelope.component,
        record_at=seconds(event.record_at),
        hash=event.hash,
        ts=seconds(envelope.ts_ms),
        attempt=envelope.attempt or 0,
        seq=envelope.seq,
        version=envelope.version or "",
        duration_ms=envelope.duration_ms,
        status=envelope.status or "ok",
        error=envelope.error or "",
        n_in=envelope.n_in,
        n_out=envelope.n_out,
        n_unique=envelope.n_unique,
        has_items=envelope.items != NONE,
        items=_given(envelope.items),
        scores=_given(envelope.scores),
        dropped=_given(envelope.dropped),
        dropped_counts=_given(envelope.dropped_counts),
        adjustments=_given(envelope.adjustments),
        truncated=envelope.truncated or False,
        served_by=_served_by(envelope),
    )


def _served_by(envelope: Envelope) -> str:
    return (envelope.served_by or "primary") if envelope.stage == "response" else ""


def _given(raw: msgspec.Raw) -> msgspec.Raw | None:
    return None if raw == NONE else raw


def seconds(ms: int) -> _Seconds:
    """Epoch ms as a DateTime64(3) in JSON."""
    return msgspec.Raw(b"%d.%03d" % divmod(ms, 1000))


def moment(ms: int) -> datetime:
    """Epoch ms as a UTC datetime that DateTime64(3) can hold: a producer may have put anything in a record time."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=min(max(ms, 0), _LATEST_MS))


def utc(at: datetime) -> datetime:
    """The driver's times of a UTC column may come without the zone."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _texts(values: Mapping[str, str | float | bool | None] | None) -> dict[str, str]:
    """Segment values as text; null means absent."""
    return {name: text(value) for name, value in values.items() if value is not None} if values else {}


def text(value: str | float | bool) -> str:
    """A segment or experiment value as it is stored."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def when(seconds: float) -> datetime:
    """A window or another epoch time in seconds, as a UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)
