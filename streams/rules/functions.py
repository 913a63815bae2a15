"""The functions that `when` may call: a closed list. Names are ClickHouse's where it has one; case does not matter."""

from dataclasses import dataclass
from typing import Final

from streams.rules.fields import Type

Types = frozenset[Type]
NUMBER: Final[Types] = frozenset({"number"})
TEXT: Final[Types] = frozenset({"text"})
BOOLEAN: Final[Types] = frozenset({"boolean"})
TIME: Final[Types] = frozenset({"time"})
LIST: Final[Types] = frozenset({"list"})
ANY: Final[Types] = NUMBER | TEXT | BOOLEAN | TIME | LIST
SCALAR: Final[Types] = ANY - LIST


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an argument may be."""

    types: Types
    constant: bool = False  # it must stand in the text


@dataclass(frozen=True, slots=True)
class Function:
    """One function of fixed result type. name: the one it has in trees."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Type
    optional: int = 0  # so many of the last parameters may be left out
    repeats: bool = False  # the last parameter may be given any number of times


def _plain(name: str, result: Type, *types: Types, **more: bool | int) -> Function:
    return Function(name, tuple(Parameter(each) for each in types), result, **more)  # type: ignore[arg-type]


def _times(*names: str) -> dict[str, Function]:
    """month(at) and toMonth(at)."""
    made = {name: _plain(name, "number", TIME) for name in names}
    return made | {f"to{name}": function for name, function in made.items()}


_CONSTANT_TEXT: Final = Parameter(TEXT, constant=True)
_SCALARS: Final = {
    **_times("year", "month", "dayofmonth", "dayofweek", "hour"),
    **{name: _plain(name, "number", NUMBER) for name in ("abs", "floor", "ceil", "sqrt")},
    **{name: _plain(name, "boolean", NUMBER) for name in ("isnan", "isfinite", "isinfinite")},
    **{name: _plain(name, "text", TEXT) for name in ("lower", "upper", "trim")},
    **{name: _plain(name, "boolean", TEXT, TEXT) for name in ("startswith", "endswith", "contains")},
    "length": _plain("length", "number", TEXT | LIST),
    "empty": _plain("empty", "boolean", TEXT | LIST),
    "notempty": _plain("notempty", "boolean", TEXT | LIST),
    "concat": _plain("concat", "text", TEXT, TEXT, repeats=True),
    "has": _plain("has", "boolean", LIST, TEXT),
    "isnull": _plain("isnull", "boolean", ANY),
    "isnotnull": _plain("isnotnull", "boolean", ANY),
    "number": _plain("number", "number", TEXT),
    "tofloat64ornull": _plain("number", "number", TEXT),
    "round": Function("round", (Parameter(NUMBER), Parameter(NUMBER, constant=True)), "number", optional=1),
    "position": Function("position", (Parameter(TEXT), _CONSTANT_TEXT), "number"),
    "match": Function("match", (Parameter(TEXT), _CONSTANT_TEXT), "boolean"),
    "splitbychar": Function("splitbychar", (_CONSTANT_TEXT, Parameter(TEXT)), "list"),
    "datediff": Function("datediff", (_CONSTANT_TEXT, Parameter(TIME), Parameter(TIME)), "number"),
    "todatetime": Function("todatetime", (_CONSTANT_TEXT,), "time"),
}

# Written as they are named in ClickHouse, for suggestions; by lower case for look-up.
_SPELLED: Final = {
    name.lower(): name
    for name in (
        "toYear", "toMonth", "toDayOfMonth", "toDayOfWeek", "toHour", "dayOfMonth", "dayOfWeek", "isNaN", "isFinite",
        "isInfinite", "startsWith", "endsWith", "notEmpty", "isNull", "isNotNull", "toFloat64OrNull", "splitByChar",
        "dateDiff", "toDateTime", "ifNull", "nullIf", "multiIf", "stddevPop", "stddevSamp", "topShare", "uniqExact",
    )
}  # fmt: skip

SCALARS: Final[dict[str, Function]] = _SCALARS
SPECIAL: Final = frozenset({"coalesce", "ifnull", "nullif", "if", "multiif", "least", "greatest"})  # see language.py

# Aggregates over the served items: what they take and give. All but `count` leave out NULL; on no items at all `count`,
# `uniq` and `sum` are 0, `any` is false, `all` is true, and the others are NULL.
AGGREGATES: Final[dict[str, tuple[Types, Type]]] = {
    "count": (ANY, "number"),
    "uniq": (SCALAR, "number"),  # exact
    "sum": (NUMBER | BOOLEAN, "number"),
    "avg": (NUMBER | BOOLEAN, "number"),  # of a condition: the share of items for which it is true
    "min": (NUMBER | TIME, "number"),  # of a time: a time
    "max": (NUMBER | TIME, "number"),
    "any": (BOOLEAN, "boolean"),
    "all": (BOOLEAN, "boolean"),
    "stddevpop": (NUMBER, "number"),
    "stddevsamp": (NUMBER, "number"),  # NULL of fewer than two
    "topshare": (SCALAR, "number"),  # of its commonest value: topShare(brand) > 0.5
    "quantile": (NUMBER, "number"),  # quantile(0.9)(score), interpolated
}
ALIASES: Final = {"stddev": "stddevpop", "median": "quantile", "uniqexact": "uniq"}


def names() -> list[str]:
    """All of them, as people write them."""
    plain = {_SPELLED.get(name, name) for name in (*SCALARS, *SPECIAL, *AGGREGATES, *ALIASES)}
    return sorted(plain | {f"{_SPELLED.get(name, name)}If" for name in AGGREGATES})
