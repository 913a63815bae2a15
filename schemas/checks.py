"""From bytes to a checked tree, and from pydantic's errors to `Invalid`: what every record goes through that is not
taken optimistically."""

import json
import re
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from schemas.errors import REASONS, Invalid
from schemas.limits import MAX_EVENT_BYTES, MAX_NAME
from schemas.pipeline import STAGE_RANK

KEY: Final = "$key"  # the field that a dead letter names when the record's key is at fault
_tree: Final = msgspec.json.Decoder(float_hook=float)  # without the hook 1e400 anywhere would be an error
_SHOWN: Final = 64  # characters of a key or value that a message repeats
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{,63}\Z")
_JSON_TYPES: Final = {dict: "object", list: "array", tuple: "array", str: "string", bool: "boolean", type(None): "null"}
_JSON_NAMES: Final = {"tuple": "array", "list": "array", "dictionary": "object"}
_TEXTS: Final = {  # fields that are stored as text and may come as something else
    **dict.fromkeys(("items", "dropped", "item", "rule_id"), "string or number"),
    **dict.fromkeys(("segments", "experiments", "attributes"), "string, number or boolean"),
    "user_id": "string or whole number",
}


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object in raw; raises `Invalid` with field `$`. Of a duplicate key the last counts."""
    if len(raw) > MAX_EVENT_BYTES:
        raise Invalid("too_large", "$", f"the record has {len(raw):,} bytes; at most {MAX_EVENT_BYTES:,} are taken")
    if not raw.strip():
        raise Invalid("empty", "$", REASONS["empty"])
    try:
        raw.decode()
        tree = _tree.decode(raw)
    except UnicodeDecodeError as error:
        raise Invalid("invalid_utf8", "$", f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise Invalid("too_deep", "$", REASONS["too_deep"]) from None
    except msgspec.DecodeError as error:
        hint = "; NaN and Infinity are not JSON: send null" if re.search(rb"\b(NaN|Infinity)\b", raw) else ""
        raise Invalid("malformed_json", "$", f"{error}{hint}") from None
    if not isinstance(tree, dict):
        raise Invalid("wrong_type", "$", f"expected an object, got {_type_name(tree)}")
    return tree


def record_key(key: bytes | None, what: str) -> str:
    """The key of a compacted topic's record, which names what it is about. Raises `Invalid` with field `$key`."""
    if not key:
        raise Invalid("missing_field", KEY, f"the record's key names the {what}")
    try:
        name = key.decode()
    except UnicodeDecodeError as error:
        raise Invalid("invalid_utf8", KEY, f"byte {error.start} is not UTF-8") from None
    if len(name) > MAX_NAME:
        raise Invalid("wrong_value", KEY, f"at most {MAX_NAME} characters")
    return name


def invalid(error: ValidationError, tag: bool = False) -> Invalid:
    """What a dead letter says of a failed validation: its first error. tag: locations begin with the union's tag."""
    first = error.errors(include_url=False)[0]
    kind, location = first["type"], list(first["loc"][1 if tag else 0 :])
    context = first.get("ctx", {})
    if kind in REASONS:
        return Invalid(kind, path([context["field"]] if "field" in context else location), first["msg"])
    if kind == "union_tag_not_found":
        return Invalid("missing_field", "$.stage", "required field is missing")
    if kind == "union_tag_invalid":
        return _stage(first["input"])
    if kind == "missing":
        return Invalid("missing_field", path(location), "required field is missing")
    if kind.endswith("_type") or (kind == "literal_error" and not isinstance(first["input"], str)):
        return Invalid("wrong_type", path(location), _expected(first["msg"], location, first["input"]))
    return Invalid("wrong_value", path(location), first["msg"].removeprefix("Input ").replace("should", "must"))


def path(location: list[Any]) -> str:
    """A JSON path: `$.dropped.seen[2]`, `$.segments["age band"]`."""
    return "$" + "".join(_step(step) for step in location if step != "[key]")


def _step(step: int | str) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN.match(step) else f"[{json.dumps(step[:_SHOWN], ensure_ascii=False)}]"


def _stage(event: dict[str, Any]) -> Invalid:
    stage = event.get("stage")
    if stage is None:
        return Invalid("missing_field", "$.stage", "required field is missing")
    if not isinstance(stage, str):
        return Invalid("wrong_type", "$.stage", f"expected a string, got {_type_name(stage)}")
    return Invalid("unknown_stage", "$.stage", f"{stage[:_SHOWN]!r} is none of {', '.join(STAGE_RANK)}")


def _expected(message: str, location: list[Any], value: object) -> str:
    wanted = message.removeprefix("Input should be ").removeprefix("a valid ")
    if "string" in wanted:
        wanted = next((_TEXTS[step] for step in location if step in _TEXTS), wanted)
    return f"expected {_JSON_NAMES.get(wanted, wanted)}, got {_type_name(value)}"


def _type_name(value: object) -> str:
    return _JSON_TYPES.get(type(value), "number")
