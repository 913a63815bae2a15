"""Decode one event of the stages topic: optimistic, then exact."""

import msgspec

from schemas.errors import Invalid
from schemas.exact import exact
from schemas.limits import MAX_EVENT_BYTES, SCHEMA_VERSION
from schemas.wire import NONE, Doubtful, Envelope, Moment, epoch_ms, optimistic

__all__ = ["MAX_EVENT_BYTES", "NONE", "SCHEMA_VERSION", "Envelope", "Invalid", "Moment", "decode", "epoch_ms"]


def decode(raw: bytes) -> Envelope:
    """Decode one event, or raise `Invalid` with reason, field and what is wrong.

    What the optimistic path cannot take goes through the pydantic models, which have the last word. ClickHouse may
    still refuse the arrays of what this returns: then ask `schemas.exact.exact`.
    """
    try:
        return optimistic(raw)
    except (Doubtful, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return exact(raw)
