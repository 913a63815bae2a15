"""Bounds of the contract, the same in the envelope, the pydantic models and the JSON Schema."""

from typing import Final

SCHEMA_VERSION: Final = 1
MAX_EVENT_BYTES: Final = 8_000_000
MAX_NAME: Final = 512  # characters of an id, a component, a label
MAX_COUNT: Final = 4_294_967_295  # UInt32
MAX_ATTEMPT: Final = 255  # UInt8
MAX_LABELS: Final = 64  # segments or experiments of one request
MAX_REASONS: Final = 1_024  # reasons to drop in one event
MAX_ATTRIBUTES: Final = 1_024  # attributes of one catalogue item
MAX_EXPECTS: Final = 256  # as many events as are held of one request
MAX_FLOAT32: Final = 3.4028234663852886e38  # above it ClickHouse would store inf
MAX_DURATION_MS: Final = 1e12
# Epoch milliseconds of 1973 and of 2286: a number outside is in seconds, micro- or nanoseconds.
MIN_EPOCH_MS: Final = 100_000_000_000
MAX_EPOCH_MS: Final = 10_000_000_000_000
