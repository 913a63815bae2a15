"""From a checked tree to a polars expression over a frame whose columns are the fields: the one compiler of rules.

The meaning is SQL's, as ClickHouse has it, where polars' own differs: NaN equals nothing, not even itself, and is
neither below nor above anything; what NULL takes part in is NULL.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import and_, or_
from typing import Final

import polars as pl

from streams.rules.fields import Field
from streams.rules.patterns import like_plain, like_regex
from streams.rules.tree import Aggregate, Call, Constant, Tree, constant

TYPES: Final = {
    "number": pl.Float64(),
    "text": pl.String(),
    "boolean": pl.Boolean(),
    "time": pl.Datetime("ms", "UTC"),
    "list": pl.List(pl.String()),
}
Columns = Mapping[Tree, str]  # trees whose value a column has already


def expression(tree: Tree, columns: Columns) -> pl.Expr:
    """The expression of a tree; what `columns` names is taken from there."""
    if tree in columns:
        return pl.col(columns[tree])
    if isinstance(tree, Field):
        return pl.col(tree.name)
    if isinstance(tree, Constant):
        return pl.lit(tree.value, dtype=TYPES[tree.type])
    if isinstance(tree, Aggregate):
        raise TypeError("an aggregate has a column of its own")
    made = _Compiler(tree, columns).expression()
    return pl.lit(pl.select(made).item(), dtype=TYPES[tree.type]) if constant(tree) and tree.type != "list" else made


def row_value(aggregate: Aggregate, columns: Columns) -> pl.Expr:
    """What an aggregate takes from each item; NULL where it takes nothing."""
    argument, condition = aggregate.argument, aggregate.condition
    value = pl.lit(True) if argument is None else expression(argument, columns)
    if (
        argument is not None
        and may_be_nan(argument)
        and aggregate.function in ("min", "max", "quantile", "uniq", "topshare")
    ):
        value = value.fill_nan(None)
    return value if condition is None else pl.when(expression(condition, columns)).then(value)


def over_items(aggregate: Aggregate, column: str) -> pl.Expr:
    """The aggregate of a group's rows, from the column of `row_value`."""
    values = pl.col(column)
    made = _AGGREGATES[aggregate.function](values, aggregate.level)
    return made.cast(TYPES[aggregate.type])


def on_nothing(aggregate: Aggregate) -> bool | float | None:
    """Its value where there is no item."""
    return {"count": 0.0, "uniq": 0.0, "sum": 0.0, "any": False, "all": True}.get(aggregate.function)


def may_be_nan(tree: Tree) -> bool:
    """Whether the value can be NaN: only then comparing it costs more."""
    if isinstance(tree, Field):
        return tree.may_be_nan
    if isinstance(tree, Constant):
        return False
    if isinstance(tree, Aggregate):
        return tree.function in ("sum", "avg", "stddevpop", "stddevsamp", "quantile")
    if tree.type != "number":
        return False
    return tree.function in _MAKES_NAN or any(may_be_nan(each) for each in tree.arguments if each.type == "number")


_MAKES_NAN: Final = frozenset({"+", "-", "*", "/", "%", "sqrt", "number"})
_AGGREGATES: Final[dict[str, Callable[[pl.Expr, float], pl.Expr]]] = {
    "count": lambda values, _: values.count(),
    "uniq": lambda values, _: values.drop_nulls().n_unique(),
    "topshare": lambda values, _: values.drop_nulls().unique_counts().max() / values.count(),
    "sum": lambda values, _: values.sum(),
    "avg": lambda values, _: values.mean(),
    "min": lambda values, _: values.min(),
    "max": lambda values, _: values.max(),
    "any": lambda values, _: values.any(),
    "all": lambda values, _: values.all(),
    "stddevpop": lambda values, _: values.std(ddof=0),
    "stddevsamp": lambda values, _: values.std(ddof=1),
    "quantile": lambda values, level: values.quantile(level, "linear"),
}


class _Compiler:
    """One call."""

    def __init__(self, call: Call, columns: Columns) -> None:
        self._call = call
        self._arguments = call.arguments
        self._columns = columns

    def expression(self) -> pl.Expr:
        function = self._call.function
        if function in ("=", "!=", "<", "<=", ">", ">="):
            return self._compared()
        return _FUNCTIONS[function](self)

    def at(self, number: int) -> pl.Expr:
        """The expression of an argument."""
        return expression(self._arguments[number], self._columns)

    def all(self) -> list[pl.Expr]:
        """The expressions of all arguments."""
        return [expression(each, self._columns) for each in self._arguments]

    def constant(self, number: int) -> str:
        """An argument that the reader has made sure is a text."""
        argument = self._arguments[number]
        if not isinstance(argument, Constant):
            raise TypeError(f"argument {number} of {self._call.function} is no constant")
        return str(argument.value)

    def _compared(self) -> pl.Expr:
        left, right = self.all()
        if constant(self._arguments[0]):  # polars 2.1 gives one row where the other side is all NULL
            made = _COMPARE[_TURNED[self._call.function]](right, left)
        else:
            made = _COMPARE[self._call.function](left, right)
        odd = [x for x, tree in zip((left, right), self._arguments, strict=True) if may_be_nan(tree)]
        if not odd:
            return made
        if self._call.function == "!=":
            made = reduce(or_, (x.is_nan() for x in odd), made)
        else:
            made = reduce(and_, (x.is_not_nan() for x in odd), made)
        if any(isinstance(tree, Constant) for tree in self._arguments):
            return made
        # NaN beside NULL: NULL, and not what false AND NULL, or true OR NULL, would give
        return pl.when(left.is_not_null() & right.is_not_null()).then(made)

    def among(self) -> pl.Expr:
        kind = TYPES[self._arguments[0].type]
        values = [each.value for each in self._arguments[1:] if isinstance(each, Constant)]
        if len(values) == 1:
            return (
                self.at(0) == pl.lit(values[0], dtype=kind)
                if not may_be_nan(self._arguments[0])
                else ((self.at(0) == pl.lit(values[0], dtype=kind)) & self.at(0).is_not_nan())
            )
        return self.at(0).is_in(pl.Series(values, dtype=kind).implode())

    def like(self) -> pl.Expr:
        text, pattern = self.at(0), self.constant(1)
        plain = like_plain(pattern) if self._call.function == "like" else None
        if plain is None:
            return text.str.contains(like_regex(pattern, ignore_case=self._call.function == "ilike"))
        kind, piece = plain
        return {
            "equals": lambda: text == pl.lit(piece),
            "starts": lambda: text.str.starts_with(piece),
            "ends": lambda: text.str.ends_with(piece),
            "contains": lambda: text.str.contains(piece, literal=True),
        }[kind]()

    def case(self) -> pl.Expr:
        *pairs, rest = self.all()
        chain = rest
        for condition, value in reversed(list(zip(pairs[::2], pairs[1::2], strict=True))):
            chain = pl.when(condition).then(value).otherwise(chain)
        return chain

    def extreme(self) -> pl.Expr:
        """least, greatest: NULL if any is, else NaN if any is."""
        values = self.all()
        made = (pl.min_horizontal if self._call.function == "least" else pl.max_horizontal)(values)
        odd = [x.is_nan() for x, tree in zip(values, self._arguments, strict=True) if may_be_nan(tree)]
        if odd:
            made = pl.when(reduce(or_, odd)).then(float("nan")).otherwise(made)
        return pl.when(reduce(and_, (x.is_not_null() for x in values))).then(made)

    def length(self) -> pl.Expr:
        value = self.at(0)
        counted = value.str.len_chars() if self._arguments[0].type == "text" else value.list.len()
        return counted.cast(pl.Float64)

    def has(self) -> pl.Expr:
        held, sought = self.all()
        found = held.list.contains(sought)
        return found if isinstance(self._arguments[1], Constant) else pl.when(sought.is_not_null()).then(found)

    def remainder(self) -> pl.Expr:
        """With the sign of the first, as in ClickHouse; polars' own has that of the second."""
        left, right = self.all()
        ratio = left / right
        whole = pl.when(ratio < 0).then(ratio.ceil()).otherwise(ratio.floor())
        return left - right * whole

    def position(self) -> pl.Expr:
        text, sought = self.at(0), self.constant(1)
        before = text.str.splitn(sought, 2).struct.field("field_0").str.len_chars().cast(pl.Float64) + 1.0
        return (
            pl.when(text.str.contains(sought, literal=True))
            .then(before)
            .otherwise(pl.when(text.is_not_null()).then(0.0))
        )

    def rounded(self) -> pl.Expr:
        digits = self._arguments[1] if len(self._arguments) > 1 else None
        places = int(digits.value) if isinstance(digits, Constant) and isinstance(digits.value, float) else 0
        return self.at(0).round(places)

    def elapsed(self) -> pl.Expr:
        """dateDiff: how many starts of the unit lie between, UTC."""
        unit = self.constant(0)
        step, total = _UNITS[unit]
        between = self.at(2).dt.truncate(step) - self.at(1).dt.truncate(step)
        return total(between).cast(pl.Float64)

    def part_of_time(self, read: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
        return read(self.at(0)).cast(pl.Float64)


_COMPARE: Final[dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_TURNED: Final = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_UNITS: Final[dict[str, tuple[str, Callable[[pl.Expr], pl.Expr]]]] = {
    "second": ("1s", lambda span: span.dt.total_seconds()),
    "minute": ("1m", lambda span: span.dt.total_minutes()),
    "hour": ("1h", lambda span: span.dt.total_hours()),
    "day": ("1d", lambda span: span.dt.total_days()),
}
_FUNCTIONS: Final[dict[str, Callable[[_Compiler], pl.Expr]]] = {
    "and": lambda c: reduce(and_, c.all()),
    "or": lambda c: reduce(or_, c.all()),
    "not": lambda c: ~c.at(0),
    "in": _Compiler.among,
    "like": _Compiler.like,
    "ilike": _Compiler.like,
    "match": lambda c: c.at(0).str.contains(c.constant(1)),
    "isnull": lambda c: c.at(0).is_null(),
    "isnotnull": lambda c: c.at(0).is_not_null(),
    "case": _Compiler.case,
    "coalesce": lambda c: pl.coalesce(c.all()),
    "least": _Compiler.extreme,
    "greatest": _Compiler.extreme,
    "+": lambda c: c.at(0) + c.at(1),
    "-": lambda c: c.at(0) - c.at(1),
    "*": lambda c: c.at(0) * c.at(1),
    "/": lambda c: c.at(0) / c.at(1),
    "%": _Compiler.remainder,
    "negate": lambda c: -c.at(0),
    "abs": lambda c: c.at(0).abs(),
    "floor": lambda c: c.at(0).floor(),
    "ceil": lambda c: c.at(0).ceil(),
    "sqrt": lambda c: c.at(0).sqrt(),
    "round": _Compiler.rounded,
    "isnan": lambda c: c.at(0).is_nan(),
    "isfinite": lambda c: c.at(0).is_finite(),
    "isinfinite": lambda c: c.at(0).is_infinite(),
    "lower": lambda c: c.at(0).str.to_lowercase(),
    "upper": lambda c: c.at(0).str.to_uppercase(),
    "trim": lambda c: c.at(0).str.strip_chars(" "),
    "startswith": lambda c: c.at(0).str.starts_with(c.at(1)),
    "endswith": lambda c: c.at(0).str.ends_with(c.at(1)),
    "contains": lambda c: c.at(0).str.contains(c.at(1), literal=True),
    "concat": lambda c: pl.concat_str(c.all()),
    "length": _Compiler.length,
    "empty": lambda c: c.length() == 0.0,
    "notempty": lambda c: c.length() > 0.0,
    "has": _Compiler.has,
    "splitbychar": lambda c: c.at(1).str.split(c.constant(0)),
    "number": lambda c: c.at(0).cast(pl.Float64, strict=False),
    "position": _Compiler.position,
    "datediff": _Compiler.elapsed,
    "year": lambda c: c.part_of_time(lambda at: at.dt.year()),
    "month": lambda c: c.part_of_time(lambda at: at.dt.month()),
    "dayofmonth": lambda c: c.part_of_time(lambda at: at.dt.day()),
    "dayofweek": lambda c: c.part_of_time(lambda at: at.dt.weekday()),
    "hour": lambda c: c.part_of_time(lambda at: at.dt.hour()),
}
