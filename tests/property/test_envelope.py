"""The optimistic decoder takes no event that the models refuse, and what both take is the same event."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.envelope import decode
from schemas.errors import REASONS, Invalid
from schemas.events import MODELS
from schemas.exact import check, exact
from schemas.golden import examples
from schemas.pipeline import STAGES
from schemas.wire import NONE, Doubtful, Envelope, optimistic

VALUES = st.sampled_from(
    [
        "null", "true", "false", "0", "-0", "1", "2", "255", "256", "-1", "1.0", "2.5", "1e400", "4294967295",
        "4294967296", "1767225600", "1767225600000", "1767225600000.5", "1767225600000000", "1e12", "1.1e12",
        '"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00"', '"2026-01-01 00:00:00+02:00"', '"0001-01-01T00:00:00Z"',
        '"2026-01-01"', '"1767225600000"', '""', '"a"', '"ok"', '"fallback"', '"primary"', '"scoring"', '"zap"',
        r'"\ud800"', r'"\u0000é"', '"' + "x" * 512 + '"', '"' + "é" * 513 + '"', "[]", '["a"]', '[""]',
        "[1]", "{}", '{"a":1}',
        '{"a":null}', '{"a":[]}', '{"a":{"b":1e400}}', '{"a":true,"a":"b"}', "NaN", "[[]]", "9" * 30,
    ]
)  # fmt: skip
FIELDS = st.sampled_from([*Envelope.__struct_fields__, "unknown"])
STAGE = st.sampled_from(STAGES)


def text(stage: str, fields: list[tuple[str, str]]) -> bytes:
    head = {"schema_version": 1, "request_id": "r", "ts": 1767225600000, "stage": stage, "component": "c"}
    needed: dict[str, dict[str, object]] = {"request": {"placement": "home", "k": 5}, "response": {"items": ["a"]}}
    members = [f'"{name}":{json.dumps(value)}' for name, value in {**head, **needed.get(stage, {})}.items()]
    members += [f'"{name}":{value}' for name, value in fields]
    return ("{" + ",".join(members) + "}").encode()


@settings(deadline=None, max_examples=1500)
@given(STAGE, st.lists(st.tuples(FIELDS, VALUES), max_size=3))
@example("request", [("context", "[]")])
@example("response", [("items", "null")])
@example("scoring", [("ts", '"x"'), ("ts", "1767225600000")])
def test_the_optimistic_decoder_takes_only_what_the_models_take(stage: str, fields: list[tuple[str, str]]) -> None:
    raw = text(stage, fields)
    try:
        taken = optimistic(raw)
    except (Doubtful, msgspec.MsgspecError):
        return
    arrays = {"items", "scores", "dropped", "dropped_counts", "adjustments"}
    if refused := refusal(check, raw):
        # What is in the candidate arrays is ClickHouse's to refuse: see test_agreement.
        assert refused.field.split(".")[1].split("[")[0] in arrays
        return
    exactly = exact(raw)
    for name in set(MODELS[stage].model_fields) - arrays:
        assert plain(getattr(taken, name)) == plain(getattr(exactly, name)), name


def refusal(path: Callable[[bytes], object], raw: bytes) -> Invalid | None:
    try:
        path(raw)
    except Invalid as refused:
        return refused
    return None


def plain(value: Any) -> Any:
    return json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else value


@settings(deadline=None, max_examples=1500)
@given(STAGE, st.lists(st.tuples(FIELDS, VALUES), max_size=3))
def test_decode_and_exact_give_the_same_reason_and_field(stage: str, fields: list[tuple[str, str]]) -> None:
    raw = text(stage, fields)
    first, second = refusal(decode, raw), refusal(exact, raw)
    if first is not None:
        assert second is not None
        assert (first.reason, first.field) == (second.reason, second.field)


@settings(deadline=None, max_examples=1500)
@given(st.sampled_from(sorted(examples().values())), st.data())
def test_no_bytes_raise_anything_but_invalid(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw)))
    cut = data.draw(st.integers(at, min(len(raw), at + 4)))
    broken = raw[:at] + data.draw(st.binary(max_size=4)) + raw[cut:]
    for path in (decode, exact):
        if refused := refusal(path, broken):
            assert refused.reason in REASONS
            assert refused.field.startswith("$")


@pytest.mark.parametrize("stage", STAGES)
def test_every_field_of_the_models_is_in_the_envelope(stage: str) -> None:
    assert set(MODELS[stage].model_fields) <= set(Envelope.__struct_fields__)
    assert exact(text(stage, [])).scores == NONE
