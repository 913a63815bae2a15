"""What a condition means, in plain Python: one value at a time, slow, and obviously right. None is NULL."""

import functools
import math
import operator
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from streams.rules.fields import Field
from streams.rules.tree import Aggregate, Constant, Tree

Row = Mapping[str, Any]  # values by the name of a field


def value(tree: Tree, row: Row, items: Sequence[Row] = ()) -> Any:
    """The value of a tree. items: the served items, each with the fields of its request, too."""
    if isinstance(tree, Field):
        return row[tree.name]
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Aggregate):
        return aggregate(tree, items)
    if tree.function in ("and", "or", "case", "coalesce", "isnull", "isnotnull"):
        return LAZY[tree.function]([functools.partial(value, part, row, items) for part in tree.arguments])
    given = [value(part, row, items) for part in tree.arguments]
    return None if any(each is None for each in given) else STRICT[tree.function](*given)


def aggregate(tree: Aggregate, items: Sequence[Row]) -> Any:
    """Over the items that count: those for which the condition is true and the argument is not NULL."""
    chosen = [item for item in items if tree.condition is None or value(tree.condition, item) is True]
    values = [1.0 if tree.argument is None else value(tree.argument, item) for item in chosen]
    known = [each for each in values if each is not None]
    if tree.function in ("min", "max", "quantile", "uniq", "topshare"):
        known = [each for each in known if each == each]  # noqa: PLR0124 - NaN is left out
    return AGGREGATES[tree.function](known, tree.level)


def conjunction(parts: Sequence[Callable[[], Any]]) -> bool | None:
    values = [part() for part in parts]
    return False if False in values else None if None in values else True


def disjunction(parts: Sequence[Callable[[], Any]]) -> bool | None:
    values = [part() for part in parts]
    return True if True in values else None if None in values else False


def case(parts: Sequence[Callable[[], Any]]) -> Any:
    for condition, then in zip(parts[:-1:2], parts[1::2], strict=True):
        if condition() is True:
            return then()
    return parts[-1]()


def divide(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def whole(a: float) -> float:
    return a if math.isnan(a) or math.isinf(a) else float(math.trunc(a))


def rounded(step: Callable[[float], int]) -> Callable[[float], float]:
    return lambda a: a if math.isnan(a) or math.isinf(a) else float(step(a))


def times(a: float, b: float) -> float:
    return a * b


def like(text: str, pattern: str, flags: int = 0) -> bool:
    made, at = "", 0
    while at < len(pattern):
        if pattern[at] == "\\" and pattern[at + 1 : at + 2] in ("%", "_", "\\"):
            at += 1
            made += re.escape(pattern[at])
        else:
            made += {"%": ".*", "_": "."}.get(pattern[at], re.escape(pattern[at]))
        at += 1
    return re.fullmatch(made, text, re.DOTALL | flags) is not None


def number(text: str) -> float | None:
    known = re.fullmatch(
        r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", text, re.IGNORECASE | re.ASCII
    )
    return float(text) if known else None


STARTS: Final = {
    "second": lambda at: at.replace(microsecond=0),
    "minute": lambda at: at.replace(second=0, microsecond=0),
    "hour": lambda at: at.replace(minute=0, second=0, microsecond=0),
    "day": lambda at: at.replace(hour=0, minute=0, second=0, microsecond=0),
}


def date_diff(unit: str, since: datetime, until: datetime) -> float:
    return float((STARTS[unit](until) - STARTS[unit](since)) // timedelta(**{f"{unit}s": 1}))


def extreme(choose: Callable[[Sequence[float]], float]) -> Callable[..., float]:
    return lambda *given: math.nan if any(map(math.isnan, given)) else choose(given)


def quantile(values: Sequence[float], level: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    at = level * (len(ordered) - 1)
    low, part = math.floor(at), at - math.floor(at)
    return ordered[low] if part == 0 else ordered[low] + (ordered[low + 1] - ordered[low]) * part


LAZY: Final[dict[str, Callable[[Sequence[Callable[[], Any]]], Any]]] = {
    "and": conjunction,
    "or": disjunction,
    "case": case,
    "coalesce": lambda parts: next((found for part in parts if (found := part()) is not None), None),
    "isnull": lambda parts: parts[0]() is None,
    "isnotnull": lambda parts: parts[0]() is not None,
}
STRICT: Final[dict[str, Callable[..., Any]]] = {
    "not": operator.not_,
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda sought, *among: any(sought == each for each in among),
    "like": like,
    "ilike": lambda text, pattern: like(text, pattern, re.IGNORECASE),
    "match": lambda text, pattern: re.search(pattern, text) is not None,
    "+": operator.add,
    "-": operator.sub,
    "*": times,
    "/": divide,
    "%": lambda a, b: a - b * whole(divide(a, b)),
    "negate": operator.neg,
    "abs": abs,
    "floor": rounded(math.floor),
    "ceil": rounded(math.ceil),
    "round": lambda a, digits=0.0: a if not math.isfinite(a) else round(a * 10**digits) / 10**digits,
    "sqrt": lambda a: math.nan if a < 0 or math.isnan(a) else math.sqrt(a),
    "isnan": math.isnan,
    "isfinite": math.isfinite,
    "isinfinite": math.isinf,
    "least": extreme(min),
    "greatest": extreme(max),
    "lower": str.lower,
    "upper": str.upper,
    "trim": lambda text: text.strip(" "),
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": operator.contains,
    "concat": lambda *texts: "".join(texts),
    "length": lambda held: float(len(held)),
    "empty": lambda held: len(held) == 0,
    "notempty": lambda held: len(held) > 0,
    "has": operator.contains,
    "splitbychar": lambda mark, text: text.split(mark),
    "number": number,
    "position": lambda text, sought: text.find(sought) + 1.0,
    "datediff": date_diff,
    "year": lambda at: float(at.year),
    "month": lambda at: float(at.month),
    "dayofmonth": lambda at: float(at.day),
    "dayofweek": lambda at: float(at.isoweekday()),
    "hour": lambda at: float(at.hour),
}
AGGREGATES: Final[dict[str, Callable[[Sequence[Any], float], Any]]] = {
    "count": lambda values, _: float(len(values)),
    "uniq": lambda values, _: float(len(set(values))),
    "topshare": lambda values, _: max(map(values.count, values)) / len(values) if values else None,
    "sum": lambda values, _: float(sum(values)),
    "avg": lambda values, _: sum(values) / len(values) if values else None,
    "min": lambda values, _: min(values, default=None),
    "max": lambda values, _: max(values, default=None),
    "any": lambda values, _: any(values),
    "all": lambda values, _: all(values),
    "stddevpop": lambda values, _: statistics.pstdev(values) if values else None,
    "stddevsamp": lambda values, _: statistics.stdev(values) if len(values) > 1 else None,
    "quantile": quantile,
}
