"""The optimistic path (envelope, then ClickHouse) stores nothing that the contract refuses; what the contract takes is
stored, the same whether optimistically or after the exact path."""

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import limits
from schemas.errors import Invalid
from schemas.exact import check, exact
from schemas.golden import examples
from schemas.pipeline import STAGES
from schemas.wire import Doubtful, Envelope, optimistic
from sinks.clickhouse.client import REFUSED

Land = Callable[[Envelope], Any]

HEAD = '"schema_version":1,"request_id":"r","ts":1767225600000,"stage":"ordering","component":"c"'
OK = '"rule_id":"r","item":"i","action":"boost"'

GOOD = {
    "items": [
        "null", "[]", '["a"]', "[1,-2]", "[1.50,1e3,1E400,12345678901234567890123]", "[-0,-0.0]", '[1,"1"]',
        '[""]', r'["\u0000"]', r'["\ud83d\ude00","\u00e9é"]', r'["a\/b\"c\\"]', '[ "a" , \n\t"b"\r]',
    ],
    "scores": [
        "null", "[]", "[1,2.5,null]", "[-0,-0.0,0.0]", "[1e5,1E+5,1e-5]", "[1e-400]", "[3.4028234e38]",
        "[0.12345678901234567890123456789]", "[16777217]", "[ 1 ,\n2 ]",
    ],
    "dropped": [
        "null", "{}", '{"a":["x",7]}', '{"a":[]}', '{"":["x"]}', '{"a":["x"],"a":["y"]}', r'{"a\"b":["x"]}',
        '{ "a" : [ "x" ] , "b":[] }', '{"a":null,"a":["x"]}',
    ],
    "dropped_counts": [
        "null", "{}", '{"a":5}', '{"a":0,"b":4294967295}', '{"a":1,"a":2}', '{"a":-0}', '{"a":"x","a":2}',
    ],
    "adjustments": [
        "null", "[]", f"[{{{OK}}}]", f'[{{{OK},"delta":0.1,"position":3}}]', f'[{{{OK},"delta":null,"position":null}}]',
        '[{"action":"drop","item":5,"rule_id":7}]', f'[{{{OK},"more":{{"a":[1]}}}}]', f'[{{{OK},"item":"j"}}]',
        f'[{{"item":null,{OK}}}]', f'[{{{OK},"delta":-3}}]', f'[{{"delta":1e400,{OK},"delta":1}}]',
        f'[{{{OK},"position":-0}}]',
    ],
}  # fmt: skip
BAD = {
    "items": [
        "[null]", '["a",null]', "[true]", '[["a"]]', '[{"a":1}]', "{}", '"a"', "5", '""', '"[]"', "true",
        r'["\ud800"]', "[01]", "[1.]", "[NaN]", "[-]", '["\t"]', "[1,]",
    ],
    "scores": [
        '["1.0"]', '["abc"]', '[""]', '["nan"]', '["inf"]', '["null"]', "[1e400]", "[-1e400]", "[1e39]",
        "[3.4028236e38]", "[1e99999999999999999999]", f"[{'9' * 50}]", "[true]", "[[1]]", "[{}]", "{}", "5", '"[1]"',
        "[NaN]", "[Infinity]", "[.5]", "[+1]",
    ],
    "dropped": [
        '{"a":null}', '{"a":[null]}', '{"a":"x"}', '{"a":5}', '{"a":{}}', '{"a":[true]}', '{"a":[["x"]]}', "[]",
        '[["a",["x"]]]', '"{}"', "5", f'{{"{"x" * 513}":[]}}', '{"a":["x"],"a":null}',
    ],
    "dropped_counts": [
        '{"a":-1}', '{"a":"5"}', '{"a":5.0}', '{"a":5e0}', '{"a":4294967296}', f'{{"a":{"9" * 30}}}', '{"a":null}',
        '{"a":true}', '{"a":[]}', '{"a":{}}', '{"a":""}', '{"a":"abc"}', "[]", '"{}"', "5",
    ],
    "adjustments": [
        "[{}]", '[{"item":"i","action":"boost"}]', '[{"rule_id":"r","action":"boost"}]', '[{"rule_id":"r","item":"i"}]',
        '[{"rule_id":"r","item":"i","action":"zap"}]', '[{"rule_id":"r","item":"i","action":"Boost"}]',
        '[{"rule_id":"r","item":"i","action":1}]', '[{"rule_id":"r","item":null,"action":"boost"}]',
        '[{"rule_id":"","item":"i","action":"boost"}]', '[{"rule_id":"r","item":true,"action":"boost"}]',
        '[{"rule_id":"r","item":["i"],"action":"boost"}]', f'[{{{OK},"delta":"0.1"}}]', f'[{{{OK},"delta":true}}]',
        f'[{{{OK},"delta":1e39}}]', f'[{{{OK},"position":1.5}}]', f'[{{{OK},"position":1.0}}]',
        f'[{{{OK},"position":"1"}}]', f'[{{{OK},"position":-1}}]', f'[{{{OK},"position":4294967296}}]',
        '[["r","i","boost"]]', '["x"]', "[null]", "{}", '"[]"', '[{"RULE_ID":"r","item":"i","action":"boost"}]',
    ],
}  # fmt: skip


def event(field: str, text: str) -> bytes:
    return f'{{{HEAD},"{field}":{text}}}'.encode()


def table(arrays: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(field, text) for field, texts in arrays.items() for text in texts]


@pytest.mark.parametrize(("field", "text"), table(GOOD))
def test_what_the_contract_takes_is_stored_the_same_on_both_paths(field: str, text: str, land: Land) -> None:
    assert accepted(event(field, text))
    agree(event(field, text), land)


@pytest.mark.parametrize(("field", "text"), table(BAD))
def test_what_the_contract_refuses_is_never_stored_and_names_the_field(field: str, text: str, land: Land) -> None:
    with pytest.raises(Invalid) as refusal:
        check(event(field, text))
    assert refusal.value.field.startswith(f"$.{field}") or refusal.value.reason == "malformed_json"
    agree(event(field, text), land)


@pytest.mark.parametrize("name", [name for name in examples() if name.split(".")[0] in STAGES])
def test_golden_examples_land(name: str, land: Land) -> None:
    agree(examples()[name], land)


@pytest.mark.parametrize("ts", [limits.MIN_EPOCH_MS, limits.MAX_EPOCH_MS])
def test_the_bounds_of_the_contract_fit_the_columns(ts: int, land: Land) -> None:
    most, name = limits.MAX_COUNT, "é" * limits.MAX_NAME
    counts = dict.fromkeys(["seq", "n_in", "n_out", "n_unique", "k"], most)
    texts = dict.fromkeys(["component", "version", "placement", "user_id", "error"], name)
    labels = {f"{n:02}{name[2:]}": name for n in range(limits.MAX_LABELS)}
    raw = {
        "schema_version": 1,
        "request_id": name,
        "ts": ts,
        "stage": "request",
        "attempt": limits.MAX_ATTEMPT,
        "duration_ms": limits.MAX_DURATION_MS,
        "segments": labels,
        "experiments": labels,
        "expects": [name] * 256,
        "dropped_counts": {name: most},
        "scores": [limits.MAX_FLOAT32, -limits.MAX_FLOAT32],
        "adjustments": [{"rule_id": name, "item": name, "action": "pin", "delta": limits.MAX_FLOAT32}],
    }
    agree(json.dumps({**raw, **counts, **texts}).encode(), land)
    stored = land(exact(json.dumps({**raw, **counts, **texts}).encode())).stored
    assert [stored[field] for field in ("seq", "n_in", "n_out", "n_unique")] == [most] * 4
    assert (stored["attempt"], stored["component"], stored["version"]) == (255, name, name)
    assert stored["duration_ms"] == pytest.approx(limits.MAX_DURATION_MS)
    moment = datetime.fromisoformat(stored["ts"]).replace(tzinfo=UTC)
    assert moment == datetime.fromtimestamp(ts / 1000, UTC)


SCALARS = st.sampled_from(
    [
        "null", "true", "0", "-0", "1", "-1", "2.5", "1.0", "1e3", "4294967295", "4294967296", "3.4028234e38",
        "3.4028236e38", "1e39", "1e400", "-1e400", "1e-400", "9" * 40, '""', '"a"', '"1"', '"nan"', '"null"',
        r'"\ud800"', r'"\u0000"', r'"é\""', "{}", "[]", '["a"]', '{"a":1}', "NaN", "01",
    ]
)  # fmt: skip
KEYS = st.sampled_from(['"a"', '"b"', '""', r'"\u0061"', "5"])
SPACE = st.sampled_from(["", "", "", " ", "\n"])


def usually(good: list[str]) -> st.SearchStrategy[str]:
    """Mostly valid, so that whole arrays are valid about as often as not."""
    return st.one_of(*[st.sampled_from(good)] * 3, SCALARS)


def array(each: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.lists(each, max_size=4), SPACE).map(lambda parts: f"[{f',{parts[1]}'.join(parts[0])}]")


def braced(text: str) -> str:
    return "{" + text + "}"


def members(fields: dict[str, str]) -> str:
    return ",".join(f'"{name}":{text}' for name, text in fields.items())


def pairs(key: st.SearchStrategy[str], value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(key, SPACE, value).map(lambda parts: f"{parts[0]}:{parts[1]}{parts[2]}")
    return st.lists(pair, max_size=3).map(lambda each: braced(",".join(each)))


ITEMS = array(usually(['"a"', '"b"', "7", '"é"']))
ADJUSTMENT = st.fixed_dictionaries(
    {},
    optional={
        "rule_id": usually(['"r"', "7"]),
        "item": usually(['"i"', "5"]),
        "action": usually(['"boost"', '"pin"', '"drop"']),
        "delta": usually(["0.1", "-2", "null"]),
        "position": usually(["1", "3", "null"]),
        "more": SCALARS,
    },
).map(lambda fields: braced(members(fields)))
FULL_ADJUSTMENT = st.tuples(ADJUSTMENT, st.booleans()).map(
    lambda parts: braced(",".join(filter(None, [OK, parts[0][1:-1]]))) if parts[1] else parts[0]
)
COLUMN = {
    "items": ITEMS,
    "scores": array(usually(["1", "0.5", "-2.25", "null", "1e-7"])),
    "dropped": pairs(KEYS, ITEMS | SCALARS),
    "dropped_counts": pairs(KEYS, usually(["1", "0", "77"])),
    "adjustments": array(FULL_ADJUSTMENT),
}


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({}, optional={name: each | SCALARS for name, each in COLUMN.items()}))
def test_generated_arrays_agree(land: Land, columns: dict[str, str]) -> None:
    agree(braced(",".join(filter(None, [HEAD, members(columns)]))).encode(), land)


def agree(raw: bytes, land: Land) -> None:
    stored = landed(optimistically(raw), land)
    if not accepted(raw):
        assert stored is None
        return
    exactly = landed(exact(raw), land)
    assert exactly is not None, "ClickHouse refuses what the exact path made"
    assert stored is None or stored == exactly
    assert_same(exactly, raw)


def landed(envelope: Envelope | None, land: Land) -> dict[str, Any] | None:
    if envelope is None:
        return None
    outcome = land(envelope)
    assert outcome.refused is None or outcome.refused in REFUSED, "not known as a refusal of the data"
    stored: dict[str, Any] | None = outcome.stored
    return stored


def optimistically(raw: bytes) -> Envelope | None:
    try:
        return optimistic(raw)
    except (Doubtful, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def accepted(raw: bytes) -> bool:
    try:
        check(raw)
    except Invalid:
        return False
    return True


def assert_same(stored: dict[str, Any], raw: bytes) -> None:
    """What was stored against the models; ids against the digits that stand in the text."""
    model = check(raw)
    digits = json.loads(raw, parse_int=str, parse_float=str)
    assert stored["items"] == (digits.get("items") or [])
    assert same_numbers(stored["scores"], model.scores or [])
    assert stored["dropped"] == (digits.get("dropped") or {})
    assert stored["dropped_counts"] == (model.dropped_counts or {})
    assert [(each["rule_id"], each["item"], each["action"], each["position"]) for each in stored["adjustments"]] == [
        (told["rule_id"], told["item"], each.action, each.position)
        for each, told in zip(model.adjustments or [], digits.get("adjustments") or [], strict=True)
    ]
    assert same_numbers(
        [each["delta"] for each in stored["adjustments"]], [each.delta for each in model.adjustments or []]
    )


def same_numbers(stored: Sequence[float | None], told: Sequence[float | None]) -> bool:
    return len(stored) == len(told) and all(map(same_number, stored, told))


def same_number(stored: float | None, told: float | None) -> bool:
    """Equal as Float32, whose subnormal numbers are coarse."""
    if stored is None or told is None:
        return stored is told
    return math.isclose(stored, told, rel_tol=2e-7, abs_tol=2e-45)
