"""What is wrong with a setting, in words: which one, where it was given, what it was, what is allowed. No secrets."""

import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

PREFIX: Final = "RECTRACE_"
CONFIG_VARIABLE: Final = "RECTRACE_CONFIG"
_OF_TESTS: Final = {"RECTRACE_REQUIRE", "RECTRACE_TEST_CLICKHOUSE", "RECTRACE_TEST_GRAFANA_USER"}
_NOT_SETTINGS: Final = {CONFIG_VARIABLE, "RECTRACE_VALIDATE", *_OF_TESTS}
_OPTIONS: Final = {
    "kafka": "--kafka",
    "clickhouse": "--clickhouse",
    "metrics.port": "--metrics-port",
    "alerts.alertmanager": "--alertmanager",
    "console.host": "--host",
    "console.port": "--port",
}
_SHOWN: Final = 100  # characters of a wrong value
_BOUNDS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_WORDS: Final = {
    "tuple_type": 'must be a list, in a variable a,b or JSON such as ["a", "b"]',
    "dict_type": 'must be lists by name, in a variable JSON such as {"home": ["ann", "ranker"]}',
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "model_type": "must hold settings by name",
}
_PATTERNS: Final = {
    r"^[A-Za-z0-9._-]{1,249}$": "letters, digits, dots, underscores and hyphens, at most 249",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "letters, digits and underscores, no digit first",
    r"^[A-Za-z0-9-]*$": "letters, digits and hyphens",
    r"^[A-Za-z0-9_{}-]*$": "letters, digits, underscores, hyphens and braces",
}


class SettingsError(Exception):
    """Settings that cannot be used; one line for each that is wrong."""


def problem(model: type[BaseModel], error: Mapping[str, Any], given: Collection[str], file: str) -> str:
    """One of pydantic's errors about `model` as a line. given: settings that came as options, by dotted name;
    file: the YAML file."""
    path = [str(part) for part in error["loc"]]
    where = _where(path, given, file)
    if error["type"] == "extra_forbidden":  # its value may be a password under a misspelt name
        return f"{where} is not a setting{_nearest('.'.join(path), list(_names(model)))}"
    found = _field(model, path)
    shown = "" if found is None or isinstance(error["input"], dict) else f" is {_show(found, error['input'])}"
    return f"{where}{shown}: {_wanted(error, found)}"


def refuse_unknown_variables(model: type[BaseModel]) -> None:
    """A misspelt variable would be ignored without a word. Raises SettingsError."""
    known = variables(model)
    for name in os.environ:
        asked = name.upper()
        if asked.startswith(PREFIX) and asked not in _NOT_SETTINGS and asked not in known:
            nearest = _nearest(asked, known) or f"; known are {', '.join(name for name in known if '__' not in name)}"
            raise SettingsError(f"{name} is not a setting{nearest}")


def _where(path: Sequence[str], given: Collection[str], file: str) -> str:
    """The option, the variable or the file that says it."""
    for length in range(len(path), 0, -1):
        if (dotted := ".".join(path[:length])) in given:
            return _OPTIONS.get(dotted, dotted)
    present = {name.upper(): name for name in os.environ}
    for length in range(len(path), 0, -1):
        if name := present.get(_variable(path[:length])):
            rest = "".join(f"[{part}]" for part in path[length:])
            return f"{name}{rest}"
    return f"{file}: {'.'.join(path)}" if file else ".".join(path)


def variables(model: type[BaseModel]) -> list[str]:
    """Every environment variable that is a setting."""
    return [_variable(name.split(".")) for name in _names(model)]


def _variable(path: Sequence[str]) -> str:
    return PREFIX + "__".join(part.upper() for part in path)


def _names(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every setting by its dotted name."""
    for name, field in model.model_fields.items():
        yield above + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{above}{name}.")


def _nearest(name: str, known: Sequence[str]) -> str:
    by_rest = {each.removeprefix(PREFIX): each for each in known}  # the prefix makes all of them alike
    near = difflib.get_close_matches(name.removeprefix(PREFIX), by_rest, 1)
    return f"; did you mean {by_rest[near[0]]}?" if near else ""


def _field(model: type[BaseModel], path: Sequence[str]) -> FieldInfo | None:
    """The field that a path leads to, or to an element of."""
    found: FieldInfo | None = None
    inner: Any = model
    for part in path:
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        found = inner.model_fields.get(part)
        inner = found.annotation if found else None
    return found


def _show(field: FieldInfo, value: object) -> str:
    if field.annotation is SecretStr:
        return "set, but not usable"
    text = re.sub(r"//[^/@\s]*@", "//***@", str(value)) if isinstance(value, str) else repr(value)
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return repr(text) if isinstance(value, str) else text


def _wanted(error: Mapping[str, Any], field: FieldInfo | None) -> str:
    kind = str(error["type"])
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    about = f" ({field.description})" if field and field.description else ""
    return _allowed(kind, error, field) + about


def _allowed(kind: str, error: Mapping[str, Any], field: FieldInfo | None) -> str:
    if kind == "string_pattern_mismatch":
        return f"must be {_PATTERNS.get(error['ctx']['pattern'], error['ctx']['pattern'])}"
    if kind == "model_type" and field and isinstance(field.annotation, type):
        return f"must hold settings by name: {', '.join(_names(field.annotation))}"
    if bounds := [_bound(word, limit) for word, limit in _limits(field)]:
        return f"must be a {'whole ' if field and field.annotation is int else ''}number, {', '.join(bounds)}"
    message = str(error["msg"]).split(", unable")[0].split(" after validation")[0]
    return _WORDS.get(kind) or re.sub(r"^(Input|String|Tuple|Value) should", "must", message).replace("a valid", "a")


def _limits(field: FieldInfo | None) -> Iterator[tuple[str, float]]:
    for each in field.metadata if field else ():
        for name, word in _BOUNDS.items():
            limit = getattr(each, name, None)
            if limit is not None:
                yield word, limit


def _bound(word: str, limit: float) -> str:
    return f"{word} {limit:,}" if isinstance(limit, int) else f"{word} {limit:,g}"
