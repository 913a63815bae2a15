"""Native blocks for clients of each protocol revision: bare, with block info, with a flag for each column."""

import urllib.parse
import urllib.request

import pytest

BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
TYPES = [
    "1 :: UInt8",
    "'2024-01-01' :: Date",
    "1700000000.5 :: DateTime64(3)",
    "toDecimal32(1, 2), toDecimal64(1, 2), toDecimal128(1, 2), toDecimal256(1, 2)",
    "'abc' :: FixedString(5)",
    "repeat('x', 300)",
    "toNullable('y'), NULL :: Nullable(UInt64)",
    "['a', 'b'], [] :: Array(String), [[1], [2, 3]] :: Array(Array(UInt16)), [1, NULL] :: Array(Nullable(Float32))",
    "map('k', ['v', 'w']), map() :: Map(String, UInt8)",
    "tuple('x', 1) :: Tuple(name String, `of it` UInt8)",
    "[tuple('x', ['y'], NULL)] :: Array(Tuple(a String, b Array(String), c Nullable(UInt32)))",
    "toLowCardinality('low'), ['a', 'b'] :: Array(LowCardinality(String))",
    "CAST('n' AS LowCardinality(Nullable(String)))",
    "map('a', 'b') :: Map(LowCardinality(String), String)",
    "CAST('a' AS Enum8('a' = 1, 'b, (c)' = 2)), '61f0c404-5cb3-11e7-907b-a6006ad3dba0' :: UUID",
    "toIPv6('::1'), toIPv4('127.0.0.1'), true, toIntervalDay(1)",
    "toUInt256(1), toInt128(1), toFloat64(1), toBFloat16(1), tuple(1.0, 2.0) :: Point",
]


def native(url: str, sql: str, revision: int) -> bytes:
    arguments = urllib.parse.urlencode({"client_protocol_version": revision, "default_format": "Native"})
    with urllib.request.urlopen(f"{url}/?{arguments}", sql.encode(), timeout=60) as response:
        return bytes(response.read())


@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("rows", [1, 300])
def test_every_column_gets_its_flag_and_nothing_else_changes(clickhouse: str, types: str, rows: int) -> None:
    sql = f"SELECT {types}, 'end' AS last FROM numbers({rows})"
    bare = native(clickhouse, sql, 0)
    assert native(clickhouse, sql, 54405) == BLOCK_INFO + bare
    flagged = native(clickhouse, sql, 54460)
    columns = bare[0]
    assert flagged[: len(BLOCK_INFO)] == BLOCK_INFO
    assert len(flagged) == len(BLOCK_INFO) + len(bare) + columns
    assert flagged.endswith(b"\x04last\x06String" + b"\x00" + b"\x03end" * rows)


def test_each_of_several_blocks_is_framed(clickhouse: str) -> None:
    """Also where the result is not streamed."""
    streamed, whole = "SELECT number AS name FROM numbers(500000) SETTINGS max_block_size = 1000", "SHOW DATABASES"
    for sql in (streamed, whole):
        bare, framed = native(clickhouse, sql, 0), native(clickhouse, sql, 54405)
        assert framed.count(BLOCK_INFO) == bare.count(b"\x04name")
        assert framed.replace(BLOCK_INFO, b"") == bare
    assert native(clickhouse, streamed, 0).count(b"\x04name") > 1
