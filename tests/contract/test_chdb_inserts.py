"""Inserts over ClickHouse's HTTP interface: exact, whole, and never reported as done when they are not.

The same tests run on chDB's engine behind our HTTP interface and, with RECTRACE_TEST_CLICKHOUSE, on a server.
"""

import asyncio
import gzip
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import clickhouse_connect
import lz4.frame
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STRICT = {"input_format_null_as_default": 0, "input_format_skip_unknown_fields": 1}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
}
TABLE = """CREATE TABLE {database}.t (
    id UInt64,
    name String DEFAULT concat('n', toString(id)),
    label LowCardinality(String),
    items Array(String),
    scores Array(Nullable(Float32)) DEFAULT [1],
    dropped Map(String, Array(String)),
    stages Array(Tuple(stage String, n_in Nullable(UInt32), items Array(String))),
    at DateTime64(3, 'UTC'),
    price Decimal(18, 4),
    key UUID,
    kind Enum8('view' = 1, 'click' = 2) DEFAULT 'view',
    twice UInt64 MATERIALIZED id * 2,
    landed_at DateTime DEFAULT now()
) ENGINE = MergeTree ORDER BY id"""


@pytest.fixture
def client(clickhouse: str, database: str) -> Iterator[Client]:
    """A client whose current database is the test's own and has the table t."""
    with clickhouse_connect.get_client(dsn=clickhouse) as maker:
        maker.command(f"CREATE DATABASE {database}")
        maker.command(TABLE.format(database=database))
    with clickhouse_connect.get_client(dsn=clickhouse, database=database) as client:
        yield client


def rows(client: Client, columns: str = "*", table: str = "t") -> list[tuple[object, ...]]:
    return [tuple(row) for row in client.query(f"SELECT {columns} FROM {table} ORDER BY ALL").result_rows]


def lines(*documents: object) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def refused(client: Client, code: int, body: bytes, table: str, columns: str = "id", **settings: object) -> str:
    """The message of an insert that must fail."""
    with pytest.raises(DatabaseError, match=rf"(?i)code:? {code}\b") as caught:
        client.raw_insert(table, columns.split(), body, fmt="JSONEachRow", settings=dict(settings))
    return str(caught.value)


# What must fail, and say so


def test_a_constraint_refuses_the_whole_insert(client: Client) -> None:
    client.command("CREATE TABLE c (id UInt8, CONSTRAINT small CHECK id < 10) ENGINE = MergeTree ORDER BY id")
    assert "small" in refused(client, 469, lines(*({"id": n} for n in range(11))), "c")
    with pytest.raises(DatabaseError, match="469"):
        client.insert("c", [[1], [11]], ["id"])
    assert rows(client, table="c") == []
    client.insert("c", [[1], [9]], ["id"])
    assert rows(client, table="c") == [(1,), (9,)]


def test_a_throwing_view_is_reported(client: Client) -> None:
    client.command("CREATE TABLE target (id UInt8) ENGINE = MergeTree ORDER BY id")
    client.command("CREATE MATERIALIZED VIEW v TO target AS SELECT id + throwIf(id = 13) AS id FROM t")
    refused(client, 395, lines({"id": 12}, {"id": 13}), "t")
    with pytest.raises(DatabaseError, match="395"):
        client.insert("t", [[12], [13]], ["id"])
    assert rows(client, table="target") == []
    client.insert("t", [[14]], ["id"])
    assert rows(client, table="target") == [(14,)]


def test_too_many_partitions_refuse_the_whole_insert(client: Client) -> None:
    client.command("CREATE TABLE p (id UInt32) ENGINE = MergeTree ORDER BY id PARTITION BY id")
    refused(client, 252, lines(*({"id": n} for n in range(101))), "p")
    assert rows(client, table="p") == []
    client.raw_insert("p", ["id"], lines(*({"id": n} for n in range(100))), fmt="JSONEachRow")
    assert rows(client, "count()", table="p") == [(100,)]


@pytest.mark.parametrize(
    "bad", [b'{"id": "x"}\n', b'{"id": 1\n', b"[1]\n", b'{"id": 1, "items": [1, }\n', b'{"id": 1,\n']
)
def test_a_bad_row_in_the_middle_refuses_the_whole_insert(client: Client, bad: bytes) -> None:
    good = lines(*({"id": n, "items": ["a"] * 50} for n in range(1000)))
    with pytest.raises(DatabaseError):
        client.raw_insert("t", ["id", "items"], good + bad + good, fmt="JSONEachRow")
    assert rows(client, "count()") == [(0,)]


def test_an_error_names_the_row_and_not_a_file(client: Client) -> None:
    message = refused(client, 27, lines({"id": 1}, {"id": 2}) + b'{"id": "x"}\n', "t")
    assert "(at row 3)" in message
    assert ".insert" not in message
    assert "in file/uri" not in message


def test_a_truncated_body_is_refused(client: Client) -> None:
    body = gzip.compress(lines({"id": 1}))[:-9]
    with pytest.raises(DatabaseError):
        client.raw_insert("t", ["id"], body, fmt="JSONEachRow", compression="gzip")
    assert rows(client) == []


def test_an_unknown_table_or_column_is_named(client: Client) -> None:
    assert "nowhere" in refused(client, 60, lines({"id": 1}), "nowhere")
    assert "nothing" in refused(client, 16, lines({"nothing": 1}), "t", columns="nothing")


def test_async_clients_see_the_error(clickhouse: str, client: Client) -> None:
    async def insert() -> None:
        async with await clickhouse_connect.get_async_client(dsn=clickhouse, database=client.database) as other:
            with pytest.raises(DatabaseError, match="27"):
                await other.raw_insert("t", ["id"], lines({"id": "x"}), fmt="JSONEachRow")
            await other.raw_insert("t", ["id"], lines({"id": 5}), fmt="JSONEachRow")
            await other.insert("t", [[6, "six"]], ["id", "name"])

    asyncio.run(insert())
    assert rows(client, "id, name") == [(5, "n5"), (6, "six")]


# What must arrive exactly


def test_types_are_the_table_s(client: Client) -> None:
    row = {
        "id": 18446744073709551615,
        "name": "2024-01-01",
        "label": "007",
        "items": ["1", "", "é\u0000\n\n\ttab", "'quote'\\"],
        "scores": [None, 0.1, -3],
        "dropped": {"out_of_stock": ["1", "2"], "": []},
        "stages": [{"stage": "request", "n_in": None, "items": []}, {"stage": "r", "n_in": 7, "items": ["x"]}],
        "at": 1700000000.123,  # an integer would be read as seconds
        "price": 12.3456,
        "key": "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
        "kind": "click",
    }
    client.raw_insert("t", list(row), lines(row), fmt="JSONEachRow", settings=STRICT)
    (stored,) = client.query("SELECT * EXCEPT landed_at, twice, now() - landed_at < 3600 FROM t").result_rows
    assert list(stored) == [
        row["id"],
        "2024-01-01",
        "007",
        row["items"],
        [None, pytest.approx(0.1), -3.0],
        row["dropped"],
        [{"stage": "request", "n_in": None, "items": []}, {"stage": "r", "n_in": 7, "items": ["x"]}],
        datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC).replace(tzinfo=None),
        Decimal("12.3456"),
        UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
        "click",
        18446744073709551614,
        1,
    ]


def test_columns_left_out_take_their_defaults(client: Client) -> None:
    client.raw_insert("t", ["id"], lines({"id": 1}), fmt="JSONEachRow", settings=STRICT)
    client.raw_insert("t", ["id", "name", "scores"], lines({"id": 2}), fmt="JSONEachRow", settings=STRICT)
    client.command("INSERT INTO t FORMAT JSONEachRow\n" + lines({"id": 3, "name": "three"}).decode())
    assert rows(client, "id, name, scores, kind, twice, landed_at > 0") == [
        (1, "n1", [1.0], "view", 2, 1),
        (2, "n2", [1.0], "view", 4, 1),
        (3, "three", [1.0], "view", 6, 1),
    ]


@pytest.mark.parametrize(
    "document", [{"items": None}, {"items": ["a", None]}, {"name": None}, {"stages": [{"items": None}]}]
)
def test_null_is_refused_or_a_default_as_the_setting_says(client: Client, document: dict[str, object]) -> None:
    (column,) = document
    with pytest.raises(DatabaseError):
        client.raw_insert("t", ["id", column], lines({"id": 1} | document), fmt="JSONEachRow", settings=STRICT)
    assert rows(client) == []
    lenient = {"input_format_null_as_default": 1}
    client.raw_insert("t", ["id", column], lines({"id": 1} | document), fmt="JSONEachRow", settings=lenient)
    assert rows(client, "id, name") == [(1, "n1")]


def test_unknown_fields_are_refused_or_skipped_as_the_setting_says(client: Client) -> None:
    body = lines({"id": 1, "more": {"deep": [1]}})
    assert "more" in refused(client, 117, body, "t", input_format_skip_unknown_fields=0)
    client.raw_insert("t", ["id"], body, fmt="JSONEachRow", settings={"input_format_skip_unknown_fields": 1})
    assert rows(client, "id") == [(1,)]


def test_settings_in_the_statement_apply(client: Client) -> None:
    body = lines({"id": 1, "name": None}).decode()
    with pytest.raises(DatabaseError):
        client.command(f"INSERT INTO t (id, name) SETTINGS input_format_null_as_default = 0 FORMAT JSONEachRow\n{body}")
    client.command(f"INSERT INTO t (id, name) SETTINGS input_format_null_as_default = 1 FORMAT JSONEachRow\n{body}")
    assert rows(client, "id, name") == [(1, "n1")]


def test_a_duplicate_key_in_a_tuple_is_refused(client: Client) -> None:
    body = b'{"id": 1, "stages": [{"stage": "a", "stage": "b"}]}\n'
    with pytest.raises(DatabaseError):
        client.raw_insert("t", ["id", "stages"], body, fmt="JSONEachRow", settings=STRICT)
    assert rows(client) == []


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("TSV", b"1\ta\\tb\n2\t\n"),
        ("TSVWithNames", b"name\tid\na\\tb\t1\n\t2\n"),
        ("CSV", b'1,"a\tb"\n2,""\n'),
        ("Values", b"(1, 'a\\tb'), (1 + 1, '')"),
        ("RowBinary", (1).to_bytes(8, "little") + b"\x03a\tb" + (2).to_bytes(8, "little") + b"\x00"),
        ("JSONCompactEachRow", b'[1, "a\\tb"]\n\n\n[2, ""]\n'),
    ],
)
def test_every_format_is_taken_byte_for_byte(client: Client, form: str, body: bytes) -> None:
    client.raw_insert("t", ["id", "name"], body, fmt=form)
    assert rows(client, "id, name") == [(1, "a\tb"), (2, "")]


def test_values_in_a_command(client: Client) -> None:
    client.command("INSERT INTO t (id, name) VALUES (1, 'a\n\nb'), (2, concat('x', 'y'))")
    client.command("INSERT INTO t (id, name) VALUES ({id:UInt64}, {name:String})", parameters={"id": 3, "name": "it's"})
    client.command("/* what */ insert into t (id, name) -- why\n values (4, 'four');")
    client.command("INSERT INTO t (id, name) SELECT number + 5, 'selected' FROM numbers(1)")
    assert rows(client, "id, name") == [(1, "a\n\nb"), (2, "xy"), (3, "it's"), (4, "four"), (5, "selected")]


def test_an_empty_insert_adds_nothing(client: Client) -> None:
    for form in ("JSONEachRow", "Native", "TSV"):
        client.raw_insert("t", ["id"], b"", fmt=form)
    assert rows(client) == []


@pytest.mark.parametrize(("compression", "pack"), PACKERS.items())
def test_compressed_bodies(client: Client, compression: str, pack: Callable[[bytes], bytes]) -> None:
    """Several frames one behind the other are one body: clients send a frame for each block."""
    body = pack(lines({"id": 1})) + pack(lines({"id": 2}))
    client.raw_insert("t", ["id"], body, fmt="JSONEachRow", compression=compression)
    assert rows(client, "id") == [(1,), (2,)]


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_native_inserts_of_many_blocks(clickhouse: str, client: Client, compress: bool | str) -> None:
    names = ["id", "name", "label", "items", "scores", "dropped", "at", "price", "kind"]
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    data = [
        [n, f"n{n}", f"l{n % 7}", [f"i{n}"] * (n % 5), [None, n / 2], {"r": [str(n)]}, moment, Decimal(n) / 4, "click"]
        for n in range(50_000)
    ]
    with clickhouse_connect.get_client(dsn=clickhouse, database=client.database, compress=compress) as other:
        context = other.create_insert_context("t", names, data=data)
        context.block_row_count = 1000
        summary = other.insert(context=context)
    assert summary.written_rows == 50_000
    told = "count(), sum(id), sum(length(items)), uniqExact(name), countIf(label = 'l3'), sum(scores[2]), sum(price)"
    length = sum(n % 5 for n in range(50_000))
    total = sum(range(50_000))
    labels = len(range(3, 50_000, 7))
    assert rows(client, told) == [(50_000, total, length, 50_000, labels, total / 2, Decimal(total) / 4)]
    assert rows(client, "DISTINCT at, kind, dropped['r'] = [toString(id)]") == [
        (moment.replace(tzinfo=None), "click", 1)
    ]


def test_arrow_inserts(client: Client) -> None:
    table = pa.table({"id": pa.array([1, 2], pa.uint64()), "items": [["a"], []]})
    client.insert_arrow("t", table)
    assert rows(client, "id, items, name") == [(1, ["a"], "n1"), (2, [], "n2")]


def test_one_insert_makes_one_part_with_rows_in_order(client: Client) -> None:
    client.command("CREATE TABLE o (id UInt64, pad String) ENGINE = MergeTree ORDER BY tuple()")
    body = lines(*({"id": n, "pad": "x" * 100} for n in range(100_000)))
    client.raw_insert("o", ["id", "pad"], body, fmt="JSONEachRow")
    parts = "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'o'"
    assert client.command(parts) == 1
    order = "SELECT countIf(id != n) FROM (SELECT id, rowNumberInAllBlocks() AS n FROM o SETTINGS max_threads = 1)"
    assert client.command(order) == 0


def test_written_rows_are_told(client: Client) -> None:
    assert client.raw_insert("t", ["id"], lines({"id": 1}, {"id": 2}), fmt="JSONEachRow").written_rows == 2
