"""What Grafana's ClickHouse data source makes of an answer: data frames, as its components take them. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

Frame = dict[str, Any]  # {"fields": [{"name", "type", "values", "labels"}]}: columns of the same length

_WRAPPED: Final = re.compile(r"(?:Nullable|LowCardinality)\((.+)\)")
_TYPES: Final = (("DateTime", "time"), ("Date", "time"), ("Bool", "boolean"), ("String", "string"))


def table(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Frame:
    """A field a column. columns: ClickHouse's types by name; times become epoch milliseconds, NaN becomes null."""
    return {
        "fields": [
            {"name": name, "type": _type(kind), "values": [_value(row[at]) for row in rows]}
            for at, (name, kind) in enumerate(columns.items())
        ]
    }


def series(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Frame:
    """A field a line, over the times that any line has; null where a line has none. Columns of text are its labels.

    The first column is the time; rows come in its order.
    """
    time, *others = table(columns, rows)["fields"]
    labels = [field for field in others if field["type"] == "string"]
    if not labels:
        return {"fields": [time, *others]}
    times = sorted(set(time["values"]))
    places = {at: place for place, at in enumerate(times)}
    lines: dict[tuple[tuple[str, ...], str], list[Any]] = {}
    for field in (each for each in others if each["type"] != "string"):
        for row, value in enumerate(field["values"]):
            key = tuple(label["values"][row] for label in labels), field["name"]
            lines.setdefault(key, [None] * len(times))[places[time["values"][row]]] = value
    names = [label["name"] for label in labels]
    wide = [
        {"name": name, "type": "number", "labels": dict(zip(names, said, strict=True)), "values": values}
        for (said, name), values in sorted(lines.items(), key=lambda line: line[0])
    ]
    return {"fields": [{**time, "values": times}, *wide]}


def _type(kind: str) -> str:
    while found := _WRAPPED.fullmatch(kind):
        kind = found[1]
    return next((type_ for name, type_ in _TYPES if kind.startswith(name)), "number")


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
