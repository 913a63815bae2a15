"""The hot path's view of an event: every field but the candidate arrays, which stay the raw bytes they came as.

Decoding this is about eight times as fast as building pydantic models, because nothing is made per candidate.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec

from schemas.limits import (
    MAX_ATTEMPT,
    MAX_COUNT,
    MAX_DURATION_MS,
    MAX_EPOCH_MS,
    MAX_EVENT_BYTES,
    MAX_EXPECTS,
    MAX_FLOAT32,
    MAX_LABELS,
    MAX_NAME,
    MAX_REASONS,
    MIN_EPOCH_MS,
    SCHEMA_VERSION,
)
from schemas.pipeline import Stage, Status

NONE: Final = msgspec.Raw(b"null")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Label = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Labels = Annotated[dict[Label, Label | int | float | bool | None], msgspec.Meta(max_length=MAX_LABELS)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
Attempt = Annotated[int, msgspec.Meta(ge=0, le=MAX_ATTEMPT)]
Duration = Annotated[float, msgspec.Meta(ge=0, le=MAX_DURATION_MS)]
Float32 = Annotated[float, msgspec.Meta(ge=-MAX_FLOAT32, le=MAX_FLOAT32)]
Moment = int | float | Annotated[datetime, msgspec.Meta(tz=True)]
Action = Literal["boost", "bury", "pin", "inject", "drop"]

_MIN_MOMENT: Final = datetime.fromtimestamp(MIN_EPOCH_MS / 1000, UTC)
_MAX_MOMENT: Final = datetime.fromtimestamp(MAX_EPOCH_MS / 1000, UTC)


class Doubtful(ValueError):  # noqa: N818 - not an error: most of what it stops is valid
    """The optimistic path cannot tell whether this event is valid: ask the exact one."""


class Envelope(msgspec.Struct, gc=False, kw_only=True):
    """One event. Arrays are `msgspec.Raw`: syntactically checked JSON, not looked into."""

    schema_version: int
    request_id: Name
    ts: Moment
    stage: Stage
    component: Name
    version: Label | None = None
    attempt: Attempt | None = None
    seq: Count | None = None
    duration_ms: Duration | None = None
    status: Status | None = None
    error: str | None = None
    n_in: Count | None = None
    n_out: Count | None = None
    n_unique: Count | None = None
    items: msgspec.Raw = NONE
    scores: msgspec.Raw = NONE
    dropped: msgspec.Raw = NONE
    dropped_counts: msgspec.Raw = NONE
    adjustments: msgspec.Raw = NONE
    truncated: bool | None = None
    # request only
    placement: Label | None = None
    k: Count | None = None
    user_id: Label | int | None = None
    segments: Labels | None = None
    experiments: Labels | None = None
    context: msgspec.Raw = NONE
    expects: Annotated[list[Name], msgspec.Meta(max_length=MAX_EXPECTS)] | None = None
    # response only
    served_by: Literal["primary", "fallback"] | None = None

    @property
    def ts_ms(self) -> int:
        """The payload's time in epoch milliseconds, for people to read: no decision depends on it."""
        return epoch_ms(self.ts)


class _Adjustment(msgspec.Struct, gc=False):
    rule_id: Name | int | float
    item: str | int | float
    action: Action
    delta: Float32 | None = None
    position: Count | None = None


_decoder: Final = msgspec.json.Decoder(Envelope)
_FewReasons = msgspec.Meta(max_length=MAX_REASONS)
_dropped: Final = msgspec.json.Decoder(Annotated[dict[Label, msgspec.Raw], _FewReasons] | None)
_counts: Final = msgspec.json.Decoder(Annotated[dict[Label, Count], _FewReasons] | None)
_adjustments: Final = msgspec.json.Decoder(list[_Adjustment] | None)


def epoch_ms(moment: float | datetime) -> int:
    """Epoch milliseconds of a `Moment`."""
    return round(moment.timestamp() * 1000) if isinstance(moment, datetime) else int(moment)


def in_range(moment: float | datetime) -> bool:
    """True if the time is one that people live in: epoch seconds and a zero time are not."""
    if isinstance(moment, datetime):
        return _MIN_MOMENT <= moment <= _MAX_MOMENT
    return MIN_EPOCH_MS <= moment <= MAX_EPOCH_MS


def optimistic(raw: bytes) -> Envelope:
    """Decode one event without looking at its candidates.

    Raises `Doubtful`, `msgspec.MsgspecError`, `UnicodeDecodeError` or `RecursionError` for every event that may be
    invalid; for some that are valid, too.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise Doubtful
    envelope = _decoder.decode(raw)
    if not raw.isascii():
        raw.decode()  # msgspec checks the syntax of raw arrays, not their UTF-8
    if envelope.schema_version != SCHEMA_VERSION or not in_range(envelope.ts):
        raise Doubtful
    if envelope.stage == "request":
        _check_request(envelope)
    elif envelope.stage == "response" and envelope.items == NONE:
        raise Doubtful
    _check_arrays(envelope)
    return envelope


def _check_request(envelope: Envelope) -> None:
    if not envelope.placement or envelope.k is None:
        raise Doubtful
    if envelope.context is not NONE and bytes(envelope.context)[:1] not in (b"{", b"n"):
        raise Doubtful


def _check_arrays(envelope: Envelope) -> None:
    """What ClickHouse would take although the contract does not: it refuses the rest itself."""
    if envelope.scores is not NONE and b'"' in bytes(envelope.scores):
        raise Doubtful  # it reads "1.5" and "nan" as numbers
    if envelope.dropped is not NONE:  # it keeps both pairs of a duplicate key
        envelope.dropped = msgspec.Raw(msgspec.json.encode(_dropped.decode(envelope.dropped)))
    if envelope.dropped_counts is not NONE:  # it wraps 2**32 to 0 and reads null, "" and "5"
        envelope.dropped_counts = msgspec.Raw(msgspec.json.encode(_counts.decode(envelope.dropped_counts)))
    if envelope.adjustments is not NONE:  # it fills in what is missing and knows no action
        _adjustments.decode(envelope.adjustments)
