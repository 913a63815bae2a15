"""What Grafana and its ClickHouse data source make of a query before ClickHouse sees it, so that it can be run without
them. Only what our queries use is known; anything else is an error.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

ALL: Final = "$__all"
_CONDITIONAL: Final = "$__conditionalAll("
_VARIABLE: Final = re.compile(r"\$\{(\w+):singlequote\}")
_MACRO: Final = re.compile(r"\$__(timeFilter|timeFilter_ms|timeInterval)\(([^()$]+)\)|\$__(fromTime|toTime)\b")

Value = str | Sequence[str]  # of a variable: one, or any number of them


class NotUnderstood(ValueError):  # noqa: N818
    """The data source would not understand the query, or would send it with something left to fill in."""


@dataclass(frozen=True)
class Shown:
    """The time that a dashboard shows, in epoch seconds, the seconds between two points, and what is chosen."""

    since: int
    until: int
    interval: int = 10
    variables: Mapping[str, Value] = field(default_factory=dict)


def expand(sql: str, shown: Shown) -> str:
    """The query as ClickHouse gets it. Raises NotUnderstood."""
    filled = _VARIABLE.sub(lambda found: _quoted(_value(found[1], shown)), _conditional(sql, shown))
    filled = _MACRO.sub(lambda found: _macro(found, shown), filled)
    if "$" in _without_strings(filled):
        raise NotUnderstood(f"something is left to fill in: {filled[max(filled.index('$') - 20, 0) :][:60]!r}")
    return filled


def _conditional(sql: str, shown: Shown) -> str:
    """$__conditionalAll(condition, $variable): the condition, or none if the variable is empty or All."""
    while (start := sql.rfind(_CONDITIONAL)) >= 0:
        condition, end = _condition(sql, start + len(_CONDITIONAL))
        name = re.fullmatch(r",\s*\$(\w+)\)", sql[end : (closing := sql.find(")", end)) + 1])
        if name is None:
            raise NotUnderstood(f"$__conditionalAll takes a condition and a plain $variable: {sql[start:][:80]!r}")
        chosen = _value(name[1], shown)
        every = chosen in ("", ALL) or list(chosen) in ([], [""], [ALL])
        sql = sql[:start] + ("1=1" if every else condition) + sql[closing + 1 :]
    return sql


def _condition(sql: str, start: int) -> tuple[str, int]:
    """The first argument, and where its comma stands. Parentheses count, quotes do not, as in the data source."""
    depth = 1
    for at in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        if sql[at] == "," and depth == 1:
            return sql[start:at], at
        if not depth:
            break
    raise NotUnderstood(f"$__conditionalAll takes two arguments: {sql[start:][:60]!r}")


def _value(name: str, shown: Shown) -> Value:
    if name not in shown.variables:
        raise NotUnderstood(f"there is no variable {name}")
    return shown.variables[name]


def _quoted(value: Value) -> str:
    """The format `singlequote`."""
    every = [value] if isinstance(value, str) else value
    return ",".join("'" + each.replace("'", "\\'") + "'" for each in every)


def _macro(found: re.Match[str], shown: Shown) -> str:
    match found[1] or found[3], found[2]:
        case "timeFilter", column:
            return f"{column} >= toDateTime({shown.since}) AND {column} <= toDateTime({shown.until})"
        case "timeFilter_ms", column:
            since, until = (f"fromUnixTimestamp64Milli({at * 1000})" for at in (shown.since, shown.until))
            return f"{column} >= {since} AND {column} <= {until}"
        case "timeInterval", column:
            return f"toStartOfInterval(toDateTime({column}), INTERVAL {max(shown.interval, 1)} second)"
        case "fromTime", _:
            return f"toDateTime({shown.since})"
        case _:
            return f"toDateTime({shown.until})"


def _without_strings(sql: str) -> str:
    """What users write may hold anything."""
    return re.sub(r"'(?:[^'\\]|\\.)*'", "''", sql)
