"""Random conditions, as trees, and random values for what they name."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from streams.rules.fields import ITEM, REQUEST, Field, Type, resolve
from streams.rules.tree import Aggregate, Call, Constant, Tree

Trees = st.SearchStrategy[Tree]

TEXTS: Final = [
    "",
    "a",
    "A",
    "ä",
    "Straße",
    "abc",
    "a%c",
    "1.5",
    "-2e1",
    "nan",
    " x ",
    "a\nb",
    "日本語",
    "é,a",
    "it's \\",
]
EXACT: Final = [0.0, -0.0, 1.0, 2.5, -3.0, 7.0]  # sums and products of a few are exact, in whatever order
NUMBERS: Final = [*EXACT, 1e17, 0.1]
NOON: Final = datetime(2026, 6, 15, 12, tzinfo=UTC)
MOMENTS: Final = [
    NOON,
    NOON + timedelta(seconds=0.001),
    NOON - timedelta(days=3, hours=13),
    datetime(2024, 2, 29, tzinfo=UTC),
]
PATTERNS: Final = ["%", "", "a%", "%b", "%b%", "_", "a_c", "a\\%c", "%ß%", "A%"]
REGEXES: Final = ["a", "^a", "[bß]", "c$", "a.c"]

REQUEST_FIELDS: Final = [REQUEST["k"], REQUEST["placement"], REQUEST["at"], resolve(("segments", "country"), "item")]
ITEM_FIELDS: Final = [
    ITEM["score"], ITEM["price"], ITEM["position"], ITEM["brand"], ITEM["title"], ITEM["available"], ITEM["created_at"],
    ITEM["sources"], ITEM["in_catalog"], resolve(("attributes", "size"), "item"),
]  # fmt: skip


def values(field: Field, numbers: Sequence[float] = NUMBERS) -> st.SearchStrategy[Any]:
    """What a field may hold."""
    number = st.sampled_from([*numbers, math.nan, math.inf] if field.may_be_nan else numbers)
    kinds: dict[Type, st.SearchStrategy[Any]] = {
        "number": number,
        "text": st.sampled_from(TEXTS),
        "boolean": st.booleans(),
        "time": st.sampled_from(MOMENTS),
        "list": st.lists(st.sampled_from(TEXTS), max_size=3),
    }
    return st.none() | kinds[field.type]


def conditions(fields: Sequence[Field], over: Sequence[Field] = (), depth: int = 3, exact: bool = False) -> Trees:
    """Conditions over these fields; and over aggregates of `over`, if there are any.

    exact: only arithmetic that rounds nothing, so that the order of a sum does not count.
    """
    return _Drawn(fields, over, exact or bool(over)).boolean(depth)


class _Drawn:
    """Trees of each type up to a depth."""

    def __init__(self, fields: Sequence[Field], over: Sequence[Field], exact: bool) -> None:
        self._fields = fields
        self._inner = _Drawn([*over, *fields], (), exact) if over else None
        self._numbers = EXACT if exact else NUMBERS
        self._operators = ["+", "-", "*", "least", "greatest", *([] if exact else ["/", "%"])]
        self._functions = ["abs", "floor", "ceil", "round", *([] if exact else ["sqrt"])]

    def of(self, kind: Type, depth: int) -> Trees:
        makers: dict[Type, Callable[[int], Trees]] = {
            "number": self.number,
            "text": self.text,
            "boolean": self.boolean,
            "time": self._leaf_time,
            "list": self._list,
        }
        return makers[kind](depth)

    def _leaves(self, kind: Type, *more: Trees) -> Trees:
        known = [field for field in self._fields if field.type == kind]
        return st.one_of(*([st.sampled_from(known)] if known else []), *more)

    def _call(self, names: Sequence[str], kind: Type, *arguments: Trees) -> Trees:
        return st.builds(lambda name, *given: Call(name, given, kind), st.sampled_from(names), *arguments)

    def boolean(self, depth: int) -> Trees:
        constant = st.builds(lambda held: Constant(held, "boolean"), st.booleans())
        if depth == 0:
            return self._leaves("boolean", constant)
        x, text, number = self.boolean(depth - 1), self.text(depth - 1), self.number(depth - 1)
        kinds: list[Trees] = [
            self._leaves("boolean", constant),
            self._call(["and", "or"], "boolean", x, x),
            self._call(["not", "isnull", "isnotnull"], "boolean", x),
            self._call(["=", "!=", "<", "<=", ">", ">="], "boolean", number, number),
            self._call(["=", "!=", "<", "<=", ">", ">="], "boolean", text, text),
            self._call(["=", "<", ">="], "boolean", self._leaf_time(0), self._leaf_time(0)),
            self._call(["startswith", "endswith", "contains"], "boolean", text, text),
            self._call(["like", "ilike"], "boolean", text, constants("text", PATTERNS)),
            self._call(["match"], "boolean", text, constants("text", REGEXES)),
            self._call(["isnan", "isfinite", "isinfinite", "isnull"], "boolean", number),
            self._call(["has"], "boolean", self._list(0), text),
            self._call(["empty", "notempty"], "boolean", st.one_of(text, self._list(0))),
            st.builds(
                lambda held, among: Call("in", (held, *dict.fromkeys(among)), "boolean"),
                number, st.lists(constants("number", self._numbers), min_size=1, max_size=3),
            ),
            st.builds(
                lambda held, among: Call("in", (held, *dict.fromkeys(among)), "boolean"),
                text, st.lists(constants("text", TEXTS), min_size=1, max_size=3),
            ),
            *self._choices("boolean", x, x),
        ]  # fmt: skip
        if self._inner:
            inner = self._inner.boolean(1)
            kinds.append(aggregates(["any", "all"], inner, inner, "boolean"))
        return st.one_of(kinds)

    def number(self, depth: int) -> Trees:
        leaves = self._leaves("number", constants("number", self._numbers))
        if depth == 0:
            return leaves
        x = self.number(depth - 1)
        kinds = [
            leaves,
            self._call(self._operators, "number", x, x),
            self._call(self._functions, "number", x),
            self._call(["negate"], "number", x.filter(lambda tree: not isinstance(tree, Constant))),
            self._call(["length", "number"], "number", self.text(depth - 1)),
            self._call(["position"], "number", self.text(depth - 1), constants("text", ["a", "b", "ß", "語"])),
            self._call(["year", "month", "dayofmonth", "dayofweek", "hour"], "number", self._leaf_time(0)),
            self._call(
                ["datediff"], "number", constants("text", ["second", "minute", "hour", "day"]), self._leaf_time(0),
                self._leaf_time(0),
            ),
            *self._choices("number", self.boolean(depth - 1), x),
        ]  # fmt: skip
        if self._inner:
            number, condition = self._inner.number(1), self._inner.boolean(1)
            over = st.one_of(number, condition)
            kinds += [
                aggregates(["sum", "avg"], over, condition, "number"),
                aggregates(["min", "max", "quantile"], number, condition, "number"),
                aggregates(["count", "uniq", "topshare"], st.one_of(over, self._inner.text(1)), condition, "number"),
                aggregates(["count"], st.none(), condition, "number"),
            ]
        return st.one_of(kinds)

    def text(self, depth: int) -> Trees:
        leaves = self._leaves("text", constants("text", TEXTS))
        if depth == 0:
            return leaves
        x = self.text(depth - 1)
        return st.one_of(
            leaves,
            self._call(["lower", "upper", "trim"], "text", x),
            self._call(["concat"], "text", x, x),
            *self._choices("text", self.boolean(depth - 1), x),
        )

    def _choices(self, kind: Type, condition: Trees, x: Trees) -> list[Trees]:
        null: Trees = st.just(Constant(None, kind))
        return [self._call(["case"], kind, condition, x, x | null), self._call(["coalesce"], kind, x, x)]

    def _leaf_time(self, _: int) -> Trees:
        return self._leaves("time", constants("time", MOMENTS))

    def _list(self, _: int) -> Trees:
        split = self._call(["splitbychar"], "list", constants("text", [",", "a"]), self.text(0))
        return self._leaves("list", split)


def constants(kind: Type, among: Sequence[Any]) -> st.SearchStrategy[Constant]:
    """Values that stand in the text."""
    return st.builds(lambda held: Constant(held, kind), st.sampled_from(among))


def aggregates(names: Sequence[str], over: st.SearchStrategy[Any], condition: Trees, kind: Type) -> Trees:
    """With and without a condition."""

    def made(name: str, argument: Tree | None, where: Tree | None, level: float) -> Tree:
        return Aggregate(name, argument, where, level if name == "quantile" else 0.0, kind)

    return st.builds(made, st.sampled_from(names), over, st.none() | condition, st.sampled_from([0.0, 0.5, 1.0]))
