"""Errors that cross the layers."""

from typing import Final

# Why a record becomes a dead letter. The names label a metric: keep the list short, never make one up elsewhere.
REASONS: Final = {
    "empty": "the record has no bytes",
    "too_large": "more bytes than one event may have",
    "invalid_utf8": "bytes that are not UTF-8",
    "malformed_json": "not JSON",
    "too_deep": "nested too deeply",
    "missing_field": "a required field is absent or null",
    "wrong_type": "a field of another type than the contract's",
    "wrong_value": "a field of the right type outside of what the contract allows",
    "unknown_stage": "a stage that no version knows",
    "unknown_schema_version": "a version newer than this reader",
    "request_too_large": "more events or bytes for one request than are held",
    "refused": "the contract takes it and ClickHouse does not",
}


class Invalid(Exception):  # noqa: N818 - "invalid event" is the field's word, and a dead letter is made of it
    """An event that breaks the contract: becomes a dead letter.

    reason is one of `REASONS`; field is a JSON path such as `$.ts` or `$.items[3]`.
    """

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.reason = reason
        self.field = field
        self.message = message


class Unavailable(Exception):  # noqa: N818
    """A server that cannot answer now. Nothing was acknowledged: try again later, landing twice changes nothing."""
