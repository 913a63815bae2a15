"""Each decision about events, one by one: what is taken, what is refused and which field the refusal names."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas import limits
from schemas.envelope import decode
from schemas.errors import REASONS, Invalid
from schemas.events import ANY_EVENT, MODELS, Adjustment, FilteringEvent, RequestEvent, ResponseEvent, ScoringEvent
from schemas.exact import check, exact
from schemas.pipeline import STAGES

NOW = 1767225600000


def event(stage: str = "scoring", /, **fields: Any) -> bytes:
    head = {"schema_version": 1, "request_id": "r", "ts": NOW, "stage": stage, "component": "c"}
    needed: dict[str, dict[str, Any]] = {"request": {"placement": "home", "k": 5}, "response": {"items": ["a"]}}
    return json.dumps({**head, **needed.get(stage, {}), **fields}).encode()


def without(name: str, stage: str = "scoring") -> bytes:
    return json.dumps({key: value for key, value in json.loads(event(stage)).items() if key != name}).encode()


def refused(raw: bytes) -> tuple[str, str, str]:
    """Reason, field and message, the same of both paths."""
    told = []
    for path in (decode, exact):
        with pytest.raises(Invalid) as error:
            path(raw)
        told.append((error.value.reason, error.value.field, error.value.message))
    assert told[0] == told[1]
    assert told[0][0] in REASONS
    return told[0]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_taken_with_what_it_must_say(stage: str) -> None:
    assert decode(event(stage)).stage == exact(event(stage)).stage == stage
    assert isinstance(check(event(stage)), MODELS[stage])


@pytest.mark.parametrize("field", ["schema_version", "request_id", "ts", "stage", "component"])
@pytest.mark.parametrize("gone", ["absent", "null"])
def test_a_required_field_that_is_absent_or_null_is_named(field: str, gone: str) -> None:
    raw = without(field) if gone == "absent" else event(**{field: None})
    assert refused(raw)[:2] == ("missing_field", f"$.{field}")


@pytest.mark.parametrize(("stage", "field"), [("request", "placement"), ("request", "k"), ("response", "items")])
def test_what_a_stage_must_say_is_named_where_it_is_absent_or_null(stage: str, field: str) -> None:
    assert refused(without(field, stage))[:2] == ("missing_field", f"$.{field}")
    assert refused(event(stage, **{field: None}))[:2] == ("missing_field", f"$.{field}")


def test_a_response_may_be_empty() -> None:
    assert bytes(decode(event("response", items=[])).items) == b"[]"


def test_null_means_absent() -> None:
    optional = set(MODELS["request"].model_fields) - {
        "schema_version", "request_id", "ts", "stage", "component", "placement", "k"
    }  # fmt: skip
    nulls = event("request", **dict.fromkeys(optional))
    assert decode(nulls) == decode(event("request"))
    assert exact(nulls) == exact(event("request"))


def test_unknown_fields_are_ignored() -> None:
    strange = event(more={"a": [1, {"b": None}]}, adjustments=[{"rule_id": "r", "item": "i", "action": "pin", "x": 1}])
    plain = event(adjustments=[{"rule_id": "r", "item": "i", "action": "pin"}])
    assert exact(strange) == exact(plain)
    assert decode(strange).component == "c"


def test_a_field_of_another_stage_is_an_unknown_field() -> None:
    assert check(event("scoring", placement=5, served_by="x")) == check(event("scoring"))
    assert decode(event("scoring", placement=5, served_by="x")).placement is None


@pytest.mark.parametrize(
    "ts",
    [
        NOW,
        NOW + 0.25,
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01 00:00:00.000Z",
        "2025-12-31t19:00:00-05:00",
    ],
)
def test_ts_is_rfc_3339_with_a_zone_or_epoch_milliseconds(ts: object) -> None:
    assert decode(event(ts=ts)).ts_ms == exact(event(ts=ts)).ts_ms == NOW


@pytest.mark.parametrize(
    ("ts", "reason"),
    [
        (1767225600, "wrong_value"),  # epoch seconds
        (1767225600.5, "wrong_value"),
        (1767225600000000, "wrong_value"),  # microseconds
        (0, "wrong_value"),
        (-NOW, "wrong_value"),
        ("2026-01-01T00:00:00", "wrong_value"),  # no zone
        ("0001-01-01T00:00:00Z", "wrong_value"),  # a zero time
        ("2026-01-01", "wrong_type"),
        (str(NOW), "wrong_type"),
        ("yesterday", "wrong_type"),
        (True, "wrong_type"),
        ([NOW], "wrong_type"),
    ],
)
def test_other_times_are_refused(ts: object, reason: str) -> None:
    assert refused(event(ts=ts))[:2] == (reason, "$.ts")


def test_a_time_in_seconds_gets_a_hint() -> None:
    assert "multiply by 1000" in refused(event(ts=1767225600))[2]


def test_item_ids_are_strings_and_numbers_are_stored_as_their_digits() -> None:
    raw = event("filtering", items=["a", 17, 1.5], dropped={"seen": [3, "x"]})
    model = check(raw)
    assert (model.items, model.dropped) == (("a", "17", "1.5"), {"seen": ("3", "x")})
    assert json.loads(bytes(exact(raw).items)) == ["a", 17, 1.5]  # ClickHouse reads a number into a String as it stands


@pytest.mark.parametrize("item", [None, True, ["a"], {"a": 1}])
def test_other_item_ids_are_refused_with_their_place(item: object) -> None:
    with pytest.raises(Invalid) as error:
        exact(event(items=["a", item]))
    assert (error.value.reason, error.value.field) == ("wrong_type", "$.items[1]")
    with pytest.raises(Invalid) as error:
        exact(event(dropped={"not in stock": ["a", item]}))
    assert error.value.field == '$.dropped["not in stock"][1]'
    assert "string or number" in error.value.message


def test_scores_are_numbers_or_null_and_need_not_be_as_many_as_items() -> None:
    assert check(event(items=["a"], scores=[1, 0.5, None])).scores == (1.0, 0.5, None)
    assert refused(event(scores=[1, "0.5"]))[:2] == ("wrong_type", "$.scores[1]")
    with pytest.raises(Invalid) as error:
        exact(event(scores=[1, 1e39]))  # ClickHouse would store inf
    assert (error.value.reason, error.value.field) == ("wrong_value", "$.scores[1]")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_not_json_and_get_a_hint(word: str) -> None:
    raw = event(scores=[0.5]).replace(b"0.5", word.encode())
    reason, field, message = refused(raw)
    assert (reason, field) == ("malformed_json", "$")
    assert "send null" in message


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("attempt", 256, "wrong_value"),
        ("attempt", -1, "wrong_value"),
        ("attempt", 1.0, "wrong_type"),
        ("attempt", "1", "wrong_type"),
        ("attempt", True, "wrong_type"),
        ("n_in", 2**32, "wrong_value"),
        ("n_out", -1, "wrong_value"),
        ("n_unique", 2.5, "wrong_type"),
        ("seq", "first", "wrong_type"),
        ("duration_ms", -0.5, "wrong_value"),
        ("duration_ms", 2 * limits.MAX_DURATION_MS, "wrong_value"),
        ("duration_ms", "12ms", "wrong_type"),
        ("status", "fine", "wrong_value"),
        ("status", 1, "wrong_type"),
        ("truncated", "yes", "wrong_type"),
        ("truncated", 1, "wrong_type"),
        ("error", {"code": 5}, "wrong_type"),
        ("version", 3, "wrong_type"),
        ("request_id", "", "wrong_value"),
        ("request_id", 5, "wrong_type"),
        ("request_id", "x" * 513, "wrong_value"),
        ("component", "", "wrong_value"),
        ("schema_version", "1", "wrong_type"),
        ("schema_version", 1.0, "wrong_type"),
        ("schema_version", True, "wrong_type"),
        ("stage", 5, "wrong_type"),
        ("items", "a", "wrong_type"),
        ("scores", {"a": 1}, "wrong_type"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object, reason: str) -> None:
    with pytest.raises(Invalid) as error:
        exact(event(**{field: value}))
    assert (error.value.reason, error.value.field) == (reason, f"$.{field}")


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("placement", "", "$.placement"),
        ("k", -1, "$.k"),
        ("user_id", 1.5, "$.user_id"),
        ("context", ["a"], "$.context"),
        ("segments", {"country": ["DE"]}, "$.segments.country"),
        ("segments", {"country": "x" * 513}, "$.segments.country"),
        ("segments", {f"s{n}": 1 for n in range(65)}, "$.segments"),
        ("experiments", ["a"], "$.experiments"),
        ("expects", ["ann", 5], "$.expects[1]"),
        ("expects", ["ann", ""], "$.expects[1]"),
        ("expects", ["c"] * 257, "$.expects"),
    ],
)
def test_a_wrong_field_of_a_request_is_named(field: str, value: object, where: str) -> None:
    assert refused(event("request", **{field: value}))[1] == where


def test_the_bounds_themselves_are_taken() -> None:
    extreme = event(attempt=255, n_in=2**32 - 1, seq=0, duration_ms=0, request_id="x" * 512, version="")
    assert decode(extreme) == exact(extreme)


def test_segment_and_experiment_values_are_stored_as_text() -> None:
    raw = event("request", segments={"a": "x", "b": 7, "c": 2.5, "d": True, "e": False, "f": None}, user_id=42)
    model = check(raw)
    assert isinstance(model, RequestEvent)
    assert model.segments == {"a": "x", "b": "7", "c": "2.5", "d": "true", "e": "false"}
    assert model.user_id == "42"
    assert decode(raw).segments == exact(raw).segments


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rule_id": None}, "rule_id"),
        ({"item": None}, "item"),
        ({"action": "zap"}, "action"),
        ({"delta": "0.1"}, "delta"),
        ({"position": 1.5}, "position"),
        ({"position": -1}, "position"),
    ],
)
def test_a_wrong_adjustment_is_named(change: dict[str, object], field: str) -> None:
    right = {"rule_id": "r", "item": "i", "action": "boost"}
    raw = event("ordering", adjustments=[right, {**right, **change}])
    assert refused(raw)[1] == f"$.adjustments[1].{field}"


@pytest.mark.parametrize(("n", "field"), [(-1, "a"), (2**32, "a"), ("5", "a"), (None, "a"), (5.0, "a")])
def test_dropped_counts_are_counts(n: object, field: str) -> None:
    assert refused(event("filtering", dropped_counts={"b": 1, field: n}))[1] == f"$.dropped_counts.{field}"


def test_of_a_duplicate_key_the_last_counts() -> None:
    raw = event("filtering")[:-1] + b',"dropped":{"a":["x"],"a":["y"]},"component":"d","ts":"?","ts":1767225600001}'
    for path in (decode, exact):
        envelope = path(raw)
        assert (envelope.component, envelope.ts_ms) == ("d", NOW + 1)
        assert json.loads(bytes(envelope.dropped), object_pairs_hook=list) == [("a", ["y"])]


def test_an_unknown_stage_is_told_which_are_known() -> None:
    reason, field, message = refused(event("ranking"))
    assert (reason, field) == ("unknown_stage", "$.stage")
    assert "business_logic" in message


@pytest.mark.parametrize("version", [0, 2, 10**30])
def test_another_schema_version_is_told_before_anything_else_is_looked_at(version: int) -> None:
    raw = event("new_stage", schema_version=version, ts="a new kind of time")
    assert refused(raw)[:2] == ("unknown_schema_version", "$.schema_version")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "malformed_json"),
        (b"{}{}", "malformed_json"),
        (b"\xef\xbb\xbf{}", "malformed_json"),
        (event()[:-2], "malformed_json"),
        (event(component="x").replace(b'"x"', rb'"\ud800"'), "malformed_json"),
        (event(items=["x"]).replace(b'"x"', rb'"\ud800"'), "malformed_json"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (b'"event"', "wrong_type"),
        (b"5", "wrong_type"),
        (event(items=["x"]).replace(b"x", b"\xff"), "invalid_utf8"),
        (event(more="x").replace(b'"x"', b'"\xed\xa0\x80"'), "invalid_utf8"),
        (event(component="x").replace(b'"x"', b'"\xc3"'), "invalid_utf8"),
        (json.dumps(json.loads(event())).encode("utf-16"), "invalid_utf8"),
        (event(more=0).replace(b'"more": 0', b'"more": ' + b"[" * 100_000 + b"]" * 100_000), "too_deep"),
        (event(items=0).replace(b'"items": 0', b'"items": ' + b"[" * 100_000 + b"]" * 100_000), "too_deep"),
        (event(error="x" * limits.MAX_EVENT_BYTES), "too_large"),
    ],
)
def test_bytes_that_are_no_event(raw: bytes, reason: str) -> None:
    assert refused(raw)[:2] == (reason, "$")


@pytest.mark.parametrize("field", ["context", "more", "items"])
def test_events_of_any_depth_are_taken_or_refused(field: str) -> None:
    reasons = set()
    for depth in range(1, sys.getrecursionlimit() + 50, 7):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        for path in (decode, exact):
            try:
                path(event("request", **{field: 0}).replace(f'"{field}": 0'.encode(), f'"{field}": '.encode() + nested))
            except Invalid as error:
                reasons.add(error.reason)
    assert reasons <= {"too_deep", "wrong_type"}


def test_the_exact_path_writes_the_fields_in_order_and_nothing_else() -> None:
    raw = b'{"zzz":1,"items":["a"],"component":"c","stage":"scoring","ts":1767225600000,"request_id":"r","error":null,'
    envelope = exact(raw + b'"schema_version":1,"scores":[ 0.123456789012345678 ]}')
    assert bytes(envelope.items) == b'["a"]'
    assert bytes(envelope.scores) == b"[ 0.123456789012345678 ]", "a score keeps its digits"
    assert envelope.error is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": [None] * 999},
        {"scores": ["1"] * 999},
        {"adjustments": [{}] * 999},
        {"expects": [5] * 99},
        {"dropped": {"x": [None] * 999}},
        {"dropped_counts": {str(n): -1 for n in range(2000)}},
        {"dropped": {str(n): 5 for n in range(2000)}},
        {"segments": {str(n): [] for n in range(2000)}},
    ],
)
def test_many_wrong_values_are_not_as_many_errors(wrong: dict[str, Any]) -> None:
    """8 MB of them would take gigabytes."""
    with pytest.raises(ValidationError) as error:
        ANY_EVENT.validate_json(event("request", **wrong))
    assert error.value.error_count() <= 3  # an adjustment lacks three fields


def test_a_message_does_not_repeat_a_huge_input() -> None:
    assert len(str(refused(event("x" * 10_000)))) < 1000
    assert len(str(refused(event("filtering", dropped_counts={"x" * 10_000: 1})))) < 1000


def test_a_producer_builds_events_with_keywords() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    kept = FilteringEvent(request_id="r", ts=moment, component="rules", items=("a",), dropped={"seen": ("b",)})
    assert kept.schema_version == 1
    boost = Adjustment(rule_id="r1", item="a", action="boost", delta=0.5)
    assert check(kept.model_dump_json(exclude_none=True).encode()) == kept
    scored = ScoringEvent(request_id="r", ts=NOW, component="m", items=("a",), scores=(0.5,), adjustments=(boost,))
    assert check(scored.model_dump_json(exclude_none=True).encode()) == scored
    frozen = "component"
    with pytest.raises(ValidationError, match="frozen"):
        setattr(scored, frozen, "other")
    with pytest.raises(ValidationError, match="items"):
        ResponseEvent(request_id="r", ts=NOW, component="api")  # type: ignore[call-arg]
