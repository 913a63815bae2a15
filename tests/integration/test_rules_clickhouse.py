"""What a condition says of a row is what ClickHouse says, where both have the same words."""

import math
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
import polars as pl
import pytest

from streams.rules.expressions import TYPES, expression
from streams.rules.fields import ITEM, REQUEST
from streams.rules.language import read

FIELDS = {
    name: {**ITEM, **REQUEST}[name] for name in ("score", "price", "title", "available", "sources", "at", "created_at")
}
KINDS = (
    "score Nullable(Float64), price Nullable(Float64), title Nullable(String), available Nullable(Bool), "
    "sources Array(String), at DateTime64(3, 'UTC'), created_at Nullable(DateTime64(3, 'UTC'))"
)
NOON = datetime(2026, 6, 14, 12, 30, 1, 500_000, tzinfo=UTC)  # a Sunday
OLD = datetime(2024, 2, 29, 23, 59, 59, 999_000, tzinfo=UTC)
ROWS: list[tuple[Any, ...]] = [
    (0.5, 10.0, "Silk Wrap Dress", True, ["ann", "popular"], NOON, OLD),
    (None, None, None, None, [], NOON, None),
    (math.nan, 0.0, "", False, ["a"], OLD, NOON),
    (math.inf, -2.5, "50% off_", True, ["ann"], OLD, OLD),
    (-0.0, 7.0, "Ärmel\nKleid", False, [""], NOON, NOON),
]
CONDITIONS = [
    "score = score",
    "score != score",
    "score > 0",
    "not (score > 0)",
    "score < 1",
    "score >= 0.5",
    "score = 0",
    "score in (0.5, 1)",
    "score not in (0.5, 1)",
    "score between 0 and 1",
    "not score between 0 and 1",
    "score > price",
    "score != price",
    "price / 0 > 1",
    "price / 0 = price / 0",
    "0 / price = 1",
    "price / price != 1",
    "isNaN(score)",
    "isFinite(score)",
    "isInfinite(price / 0)",
    "isNaN(0 / price)",
    "price % 3 = 1",
    "price % -2 = 0",
    "price % 2 = -0.5",
    "-price < 0 and score > 0",
    "score > 0 or price > 0",
    "score > 0 or price is null",
    "score is null",
    "title is not null",
    "available",
    "not available",
    "available = true",
    "available != true",
    "available and score > 0",
    "available or score > 0",
    "title = 'Silk Wrap Dress'",
    "title > 'A'",
    "title like '%Wrap%'",
    "title like 'Silk%'",
    "title like '%_'",
    "title like '50\\\\% %'",
    "title not like '%e%'",
    "title ilike '%KLEID'",
    "title ilike 'silk%'",
    "match(title, '^[S5]')",
    "match(title, 'W.*s$')",
    "startsWith(title, 'Silk')",
    "endsWith(title, '_')",
    "position(title, 'Wrap') = 6",
    "position(title, 'x') = 0",
    "concat(title, '!') = '!'",
    "title || 'x' = 'x'",
    "empty(title)",
    "notEmpty(title)",
    "has(sources, 'ann')",
    "has(sources, '')",
    "length(sources) > 1",
    "empty(sources)",
    "has(splitByChar(' ', ifNull(title, '')), 'Wrap')",
    "abs(price) = 2.5",
    "floor(price) = -3",
    "ceil(price) = -2",
    "round(price) = -2",
    "round(score) = 0",
    "sqrt(price) > 2",
    "if(score > 0, 1, 2) = 2",
    "multiIf(price > 5, 'a', price < 0, 'b', 'c') = 'c'",
    "case when price > 5 then 1 end is null",
    "case price when 10 then 'x' when 7 then 'y' else 'z' end = 'y'",
    "coalesce(price, 3) = 3",
    "ifNull(title, 'x') = 'x'",
    "nullIf(price, 0) is null",
    "toMonth(at) = 6",
    "toYear(created_at) = 2024",
    "toDayOfWeek(at) = 7",
    "toHour(at) in (12, 23)",
    "toDayOfMonth(created_at) = 29",
    "dateDiff('day', created_at, at) > 800",
    "dateDiff('hour', created_at, at) = 0",
    "dateDiff('minute', at, created_at) > 0",
    "dateDiff('second', at, created_at) >= 0",
    "at > created_at",
    "created_at <= toDateTime('2025-01-01 00:00:00')",
    "toFloat64OrNull(title) is null",
    "toFloat64OrNull('1.5') = 1.5",
    "lower(title) = 'silk wrap dress'",
    "upper(title) = 'SILK WRAP DRESS'",
]


def literal(value: Any) -> str:
    """As ClickHouse reads it."""
    if isinstance(value, tuple | list):
        inner = ", ".join(map(literal, value))
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    if isinstance(value, datetime):
        return f"'{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}'"
    return "NULL" if value is None else str(value)


@pytest.fixture(scope="module")
def answers(clickhouse: str) -> dict[str, list[bool | None]]:
    """What ClickHouse says of each row, by condition."""
    columns = ", ".join(f"({condition})::Nullable(Bool)" for condition in CONDITIONS)
    structure = KINDS.replace("'", "\\'")
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        rows = client.query(f"SELECT {columns} FROM values('{structure}', {', '.join(map(literal, ROWS))})").result_rows
    return {condition: [row[number] for row in rows] for number, condition in enumerate(CONDITIONS)}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_says_what_it_says_in_clickhouse(condition: str, answers: dict[str, list[bool | None]]) -> None:
    frame = pl.DataFrame(ROWS, schema={name: TYPES[field.type] for name, field in FIELDS.items()}, orient="row")
    found = frame.with_columns(expression(read(condition, "item"), {}).alias("#")).get_column("#").to_list()
    assert found == answers[condition]
