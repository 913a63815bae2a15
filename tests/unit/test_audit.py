"""What the close look finds in events that are allowed and odd."""

import json
from typing import Any

import pytest

from schemas.audit import Finding, audit
from schemas.golden import examples

HEAD = {"schema_version": 1, "request_id": "r", "ts": 1767225600000, "component": "c"}


def found(stage: str, **fields: Any) -> list[Finding]:
    return audit(json.dumps({**HEAD, "stage": stage, **fields}).encode())


@pytest.mark.parametrize("name", [name for name in examples() if not name.startswith(("interaction", "catalog"))])
def test_nothing_is_odd_about_the_golden_examples(name: str) -> None:
    assert audit(examples()[name]) == []


def test_what_the_contract_refuses_is_named() -> None:
    assert found("scoring", scores=["1.0"]) == [Finding("invalid", "$.scores[0]")]
    assert audit(b"{") == [Finding("invalid", "$")]


def test_unknown_fields_are_named_once_each() -> None:
    boost = {"rule_id": "r", "item": "i", "action": "boost", "weight": 1}
    assert found("ordering", model="x", adjustments=[boost, boost]) == [
        Finding("unknown_field", "model"),
        Finding("unknown_field", "adjustments.weight"),
    ]
    assert found("ordering", placement="home") == [Finding("unknown_field", "placement")]
    assert len(found("ordering", **{"x" * 1000: 1})[0].field) < 100


@pytest.mark.parametrize("items", [["a"], [], None])
def test_scores_that_are_not_as_many_as_items(items: list[str] | None) -> None:
    assert found("scoring", items=items, scores=[0.1, 0.2]) == [Finding("unequal_lengths", "scores")]
    assert found("scoring", items=["a", "b"], scores=[0.1, 0.2]) == []


def test_counts_that_differ_from_their_lists_unless_those_were_capped() -> None:
    fields: dict[str, Any] = {"items": ["a"], "n_out": 5, "dropped": {"x": ["b"]}, "dropped_counts": {"x": 9, "y": 1}}
    assert found("ordering", **fields) == [Finding("wrong_count", "n_out"), Finding("wrong_count", "dropped_counts")]
    assert found("ordering", **fields, truncated=True) == []
    assert found("ordering", n_out=5, dropped_counts={"x": 9}) == []


def test_candidates_that_a_filter_loses_without_a_word() -> None:
    assert found("filtering", items=["a"], n_in=3, dropped={"x": ["b"]}) == [Finding("unaccounted", "n_in")]
    assert found("filtering", items=["a"], n_in=3, dropped={"x": ["b"]}, dropped_counts={"y": 1}) == []
    assert found("ordering", items=["a"], n_in=3) == [], "ordering cuts"


def test_ids_and_positions_that_cannot_be_meant() -> None:
    pin = {"rule_id": "r", "item": "a", "action": "pin", "position": 0}
    assert found("ordering", items=["a", "", 5, "5"], dropped={"x": ["b", "b"]}, adjustments=[pin]) == [
        Finding("empty_item", "items"),
        Finding("duplicate_item", "items"),
        Finding("duplicate_item", "dropped"),
        Finding("zero_position", "adjustments"),
    ]
