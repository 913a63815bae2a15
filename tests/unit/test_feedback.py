"""Interactions and the catalogue: what is taken, as which row, and what is refused."""

import json
import sys
from typing import Any

import pytest

from schemas.catalog import decode_catalog
from schemas.errors import REASONS, Invalid
from schemas.interactions import decode_interaction
from schemas.parts import CatalogRow, InteractionRow

NOW = 1767225600000


def interaction(**fields: Any) -> bytes:
    return json.dumps({"request_id": "r", "item": "i", "kind": "click", "ts": NOW, **fields}).encode()


def test_an_interaction_becomes_a_row() -> None:
    raw = interaction(item=17, kind="purchase", ts="2026-01-01T00:00:00Z", position=2, value=59, more=[1])
    assert decode_interaction(raw, NOW + 5) == InteractionRow(
        request_id="r", item="17", kind="purchase", ts=NOW, position=2, value=59.0, record_at=NOW + 5
    )
    assert decode_interaction(interaction(position=None, value=None), 0).position is None


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"request_id": None}, "missing_field", "$.request_id"),
        ({"request_id": ""}, "wrong_value", "$.request_id"),
        ({"item": None}, "missing_field", "$.item"),
        ({"item": ""}, "wrong_value", "$.item"),
        ({"item": ["i"]}, "wrong_type", "$.item"),
        ({"kind": "like"}, "wrong_value", "$.kind"),
        ({"kind": 1}, "wrong_type", "$.kind"),
        ({"ts": 1767225600}, "wrong_value", "$.ts"),
        ({"ts": "2026-01-01T00:00:00"}, "wrong_value", "$.ts"),
        ({"position": -1}, "wrong_value", "$.position"),
        ({"position": "1"}, "wrong_type", "$.position"),
        ({"value": "9.99"}, "wrong_type", "$.value"),
    ],
)
def test_a_wrong_interaction_is_named(fields: dict[str, Any], reason: str, field: str) -> None:
    with pytest.raises(Invalid) as error:
        decode_interaction(interaction(**fields), NOW)
    assert (error.value.reason, error.value.field) == (reason, field)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b"{", "malformed_json"),
        (interaction(value=0.5).replace(b"0.5", b"NaN"), "malformed_json"),
        (interaction(item="x").replace(b"x", b"\xff"), "invalid_utf8"),
        (b"[]", "wrong_type"),
    ],
)
def test_bytes_that_are_no_record(raw: bytes, reason: str) -> None:
    for decode in (lambda: decode_interaction(raw, NOW), lambda: decode_catalog(b"i", raw, NOW)):
        with pytest.raises(Invalid) as error:
            decode()
        assert (error.value.reason, error.value.field) == (reason, "$")
    assert reason in REASONS


def test_an_infinite_value_is_refused() -> None:
    with pytest.raises(Invalid) as error:
        decode_interaction(interaction(value=0.5).replace(b"0.5", b"1e400"), NOW)
    assert (error.value.reason, error.value.field) == ("wrong_value", "$.value")


def item(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_an_item_becomes_a_row() -> None:
    raw = item(
        item="i", title="T", brand="B", category="C", price=5, available=False, created_at="2026-01-01T00:00:00Z",
        image_url="https://example.com/i.jpg", more=1,
        attributes={"colour": "red", "weight": 310, "ratio": 0.5, "new": True, "sizes": ["S", 2], "gone": None},
    )  # fmt: skip
    assert decode_catalog(b"i", raw, 7) == CatalogRow(
        item="i", record_at=7, title="T", brand="B", category="C", price=5.0, available=False, created_at=NOW,
        image_url="https://example.com/i.jpg",
        attributes={"colour": "red", "weight": "310", "ratio": "0.5", "new": "true", "sizes": '["S",2]'},
    )  # fmt: skip


def test_everything_but_the_key_is_optional() -> None:
    nothing = CatalogRow(item="ä", record_at=7)
    assert decode_catalog("ä".encode(), b"{}", 7) == nothing
    assert decode_catalog("ä".encode(), item(title=None, attributes=None, price=None), 7) == nothing


def test_a_record_without_a_value_deletes_the_item() -> None:
    assert decode_catalog(b"i", None, 7) == CatalogRow(item="i", record_at=7, deleted=True)


def test_an_item_inside_must_be_the_key() -> None:
    assert decode_catalog(b"17", item(item=17), 7).item == "17"
    with pytest.raises(Invalid) as error:
        decode_catalog(b"i", item(item="j"), 7)
    assert (error.value.reason, error.value.field) == ("wrong_value", "$.item")


@pytest.mark.parametrize(
    ("key", "reason"),
    [(None, "missing_field"), (b"", "missing_field"), (b"\xff", "invalid_utf8"), (b"x" * 513, "wrong_value")],
)
def test_a_key_that_names_no_item(key: bytes | None, reason: str) -> None:
    for raw in (None, b"{}"):
        with pytest.raises(Invalid) as error:
            decode_catalog(key, raw, 7)
        assert (error.value.reason, error.value.field) == (reason, "$key")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": 5}, "$.title"),
        ({"price": -1}, "$.price"),
        ({"price": "5"}, "$.price"),
        ({"available": "yes"}, "$.available"),
        ({"created_at": "2026-01-01"}, "$.created_at"),
        ({"attributes": ["red"]}, "$.attributes"),
        ({"attributes": {f"a{n}": n for n in range(1025)}}, "$.attributes"),
        ({"brand": "x" * 513}, "$.brand"),
    ],
)
def test_a_wrong_item_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as error:
        decode_catalog(b"i", item(**fields), 7)
    assert error.value.field == field


def test_attributes_of_any_depth_are_a_row_or_a_refusal() -> None:
    reasons = set()
    for depth in range(1, sys.getrecursionlimit() + 50, 7):
        raw = b'{"attributes":{"a":' + b"[" * depth + b"]" * depth + b"}}"
        try:
            decode_catalog(b"i", raw, 7)
        except Invalid as error:
            reasons.add(error.reason)
    assert reasons <= {"too_deep"}
