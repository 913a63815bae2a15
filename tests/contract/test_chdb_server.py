"""Queries, sessions and errors over ClickHouse's HTTP interface, as its clients use them.

The same tests run on chDB's engine behind our HTTP interface and, with RECTRACE_TEST_CLICKHOUSE, on a server.
"""

import asyncio
import gzip
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message

import clickhouse_connect
import lz4.frame
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"


@pytest.fixture
def client(clickhouse: str) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        yield client


def ask(
    url: str, body: bytes | None = None, headers: dict[str, str] | None = None, **arguments: object
) -> tuple[int, bytes, Message]:
    """Status, body and headers of one plain HTTP request: a POST if it has a body."""
    request = urllib.request.Request(f"{url}/?{urllib.parse.urlencode(arguments)}", body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


# Queries


def test_types_come_back_as_they_are(client: Client) -> None:
    sql = """SELECT toUInt64(18446744073709551615), 'é', [1, NULL], map('a', [1]), tuple(1, 'x'), toDecimal64(1.5, 2),
             toLowCardinality('low'), CAST(NULL AS Nullable(String)), toFloat32(0.5), [] :: Array(String), true"""
    (row,) = client.query(sql).result_rows
    assert [str(value) for value in row] == [
        "18446744073709551615", "é", "[1, None]", "{'a': [1]}", "(1, 'x')", "1.50", "low", "None", "0.5", "[]", "True",
    ]  # fmt: skip


def test_parameters_are_bound_by_the_server(client: Client) -> None:
    sql = "SELECT {s:String}, {n:UInt64}, {a:Array(String)}"
    values = {"s": "it's a \\ and\na \t", "n": 7, "a": ["x'y", "z"]}
    assert client.query(sql, parameters=values).result_rows == [(values["s"], 7, values["a"])]


def test_long_parameters_are_taken(client: Client) -> None:
    ids = [f"request-{n}" for n in range(5000)]
    sql = "SELECT length({ids:Array(String)}), {ids:Array(String)}[5000]"
    assert client.query(sql, parameters={"ids": ids}).result_rows == [(5000, "request-4999")]


def test_settings_hold_for_one_request(client: Client) -> None:
    read = "SELECT getSetting('max_block_size')"
    usual = client.command(read)
    assert client.command(read, settings={"max_block_size": 1234}) == 1234
    assert client.command(read) == usual
    client.command("SET max_block_size = 4321")
    assert client.command(read) == 4321
    assert client.command(read, settings={"max_block_size": 1234}) == 1234
    assert client.command(read) == 4321


def test_a_refused_setting_leaves_the_session_as_it_was(client: Client) -> None:
    read = "SELECT getSetting('max_block_size')"
    assert client.command(read, settings={"max_block_size": 1234}) == 1234
    with pytest.raises(DatabaseError, match="115"):
        client.query("SELECT 1", settings={"max_block_size": 99, "no_such_setting_": 1})
    assert client.command(read) not in (99, 1234)


def test_a_session_keeps_its_temporary_table_and_others_do_not_see_it(clickhouse: str, client: Client) -> None:
    client.command("CREATE TEMPORARY TABLE mine (n UInt8)")
    client.insert("mine", [[1], [2]], ["n"])
    assert client.command("SELECT sum(n) FROM mine") == 3
    with clickhouse_connect.get_client(dsn=clickhouse) as other, pytest.raises(DatabaseError, match="60"):
        other.query("SELECT * FROM mine")


def test_a_session_serves_one_request_at_a_time(clickhouse: str) -> None:
    session = uuid.uuid4().hex
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ask(clickhouse, b"SELECT sleep(1)", session_id=session), range(2)))
    assert sorted(status for status, _, _ in answers) == [200, 500]
    assert any(b"Code: 373" in body for _, body, _ in answers)


def test_the_current_database_is_the_request_s(clickhouse: str, client: Client, database: str) -> None:
    client.command(f"CREATE DATABASE {database}")
    assert ask(clickhouse, b"SELECT currentDatabase()", database=database)[1] == database.encode() + b"\n"
    headers = {"X-ClickHouse-Database": database}
    assert ask(clickhouse, b"SELECT currentDatabase()", headers)[1] == database.encode() + b"\n"
    before = client.command("SELECT currentDatabase()")
    client.command(f"USE {database}")
    assert client.command("SELECT currentDatabase()") == database
    client.command(f"USE {before}")
    assert ask(clickhouse, b"SELECT 1", database="no_such_database")[0] == 404


def test_many_blocks_are_streamed_whole(client: Client) -> None:
    sql = "SELECT number, toString(number) AS text FROM numbers(300000)"
    with client.query_row_block_stream(sql) as stream:
        blocks = list(stream)
    assert len(blocks) > 1
    assert [row[0] for block in blocks for row in block] == list(range(300_000))


def test_a_client_that_goes_away_in_the_middle_blocks_nothing(clickhouse: str, client: Client) -> None:
    session = uuid.uuid4().hex
    sql = b"SELECT number FROM numbers(1000000000000)"
    with urllib.request.urlopen(f"{clickhouse}/?session_id={session}", sql, timeout=60) as response:
        assert response.read(4) == b"0\n1\n"
    deadline = time.monotonic() + 60
    while ask(clickhouse, b"SELECT 1", session_id=session)[0] != 200:  # until the session is free again
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running = "SELECT count() FROM system.processes WHERE query LIKE '%numbers(1000000000000)'"
    while client.command(running) != 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_arrow_and_raw_results(client: Client) -> None:
    table = client.query_arrow("SELECT number AS n, ['x'] AS items FROM numbers(3)")
    assert table.to_pydict() == {"n": [0, 1, 2], "items": [["x"]] * 3}
    assert client.raw_query("SELECT 1 AS a, 'b' AS c", fmt="JSONEachRow") == b'{"a":1,"c":"b"}\n'
    assert client.raw_query("SELECT 1 AS a FORMAT CSVWithNames") == b'"a"\n1\n'


def test_async_clients(clickhouse: str) -> None:
    async def ask_many() -> None:
        async with await clickhouse_connect.get_async_client(dsn=clickhouse) as client:
            results = await asyncio.gather(*(client.query(f"SELECT {n}") for n in range(20)))
            assert [result.result_rows for result in results] == [[(n,)] for n in range(20)]
            assert await client.command("SELECT 1") == 1

    asyncio.run(ask_many())


def test_concurrent_clients_do_not_mix(clickhouse: str) -> None:
    def work(n: int) -> int:
        with clickhouse_connect.get_client(dsn=clickhouse) as client:
            sql = f"SELECT sum(number) + {n} FROM numbers(100000) SETTINGS max_block_size = 1000"
            return int(str(client.command(sql, settings={"max_threads": n % 3 + 1})))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(32))) == [4_999_950_000 + n for n in range(32)]


# Errors


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, 62),
        ("1 + 1", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT * FROM no_such_table_", 404, 60),
        ("SELECT no_such_column_", 404, 47),
        ("SELECT * FROM no_such_database_.t", 404, 81),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT 1 SETTINGS no_such_setting_ = 1", 400, 115),
        ("CREATE TABLE", 400, 62),
    ],
)
def test_errors_carry_status_code_and_text(clickhouse: str, sql: str, status: int, code: int) -> None:
    answered, body, headers = ask(clickhouse, sql.encode())
    assert (answered, headers["X-ClickHouse-Exception-Code"]) == (status, str(code)), body
    assert body.startswith(b"Code: %d. DB::Exception: " % code)
    assert b"(version " in body


def test_an_error_in_the_middle_of_a_stream_is_raised(client: Client) -> None:
    sql = "SELECT throwIf(number = 3000000) FROM numbers(10000000) SETTINGS max_threads = 1"
    with pytest.raises((DatabaseError, OperationalError)), client.query_row_block_stream(sql) as stream:
        for _ in stream:
            pass


def test_a_trailing_semicolon_and_comments_are_fine(client: Client) -> None:
    assert client.command("-- why; not\nSELECT 1 /* ; */ ; -- end") == 1
    assert client.command('SELECT \';\', ";" FROM (SELECT 1 AS ";")') == [";", "1"]


def test_unreadable_bodies_are_refused(clickhouse: str) -> None:
    packed = gzip.compress(b"SELECT 1")
    assert ask(clickhouse, packed, {"Content-Encoding": "gzip"})[:2] == (200, b"1\n")
    status, body, _ = ask(clickhouse, packed[:-4], {"Content-Encoding": "gzip"})
    assert status >= 400, body
    assert ask(clickhouse, b"SELECT 1", {"Content-Encoding": "gzip"})[0] >= 400
    assert ask(clickhouse, b"SELECT '\xff\xfe", {})[0] == 400


# Plain HTTP


def test_ping(clickhouse: str) -> None:
    with urllib.request.urlopen(f"{clickhouse}/ping", timeout=10) as response:
        assert (response.status, response.read()) == (200, b"Ok.\n")
    assert ask(clickhouse)[:2] == (200, b"Ok.\n")


def test_get_reads_only(clickhouse: str, client: Client, database: str) -> None:
    client.command(f"CREATE DATABASE {database}")
    client.command(f"CREATE TABLE {database}.t (n UInt8) ENGINE = MergeTree ORDER BY n")
    assert ask(clickhouse, query=f"SELECT count() FROM {database}.t")[:2] == (200, b"0\n")
    for sql in (f"INSERT INTO {database}.t VALUES (1)", f"DROP TABLE {database}.t", f"TRUNCATE TABLE {database}.t"):
        status, body, _ = ask(clickhouse, query=sql)
        assert status >= 400
        assert b"Code: 164" in body
    assert ask(clickhouse, f"INSERT INTO {database}.t VALUES (1)".encode())[0] == 200
    assert client.command(f"SELECT count() FROM {database}.t") == 1


def test_query_argument_and_body_are_one_statement(clickhouse: str) -> None:
    assert ask(clickhouse, b"+ 1 FORMAT CSV", query="SELECT 1")[1] == b"2\n"
    assert ask(clickhouse, b"SELECT {n:UInt8} + 1", param_n=4)[1] == b"5\n"
    assert ask(clickhouse, b"SELECT 1 AS a", default_format="JSONEachRow")[1] == b'{"a":1}\n'
    assert ask(clickhouse, b"SELECT 1 AS a", {"X-ClickHouse-Format": "JSONEachRow"})[1] == b'{"a":1}\n'


def test_form_fields_are_arguments(clickhouse: str) -> None:
    fields = {"query": "SELECT {n:UInt8} + 1", "param_n": "4"}
    parts = [f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    body = "".join(parts).encode() + b"--x--\r\n"
    assert ask(clickhouse, body, {"Content-Type": "multipart/form-data; boundary=x"})[:2] == (200, b"5\n")


def test_answers_are_compressed_when_asked(clickhouse: str) -> None:
    sql = b"SELECT range(1000) FORMAT JSON"
    plain = ask(clickhouse, sql)[1]
    _, body, headers = ask(clickhouse, sql, {"Accept-Encoding": "lz4"}, enable_http_compression=1)
    assert headers["Content-Encoding"] == "lz4"
    assert len(lz4.frame.decompress(body)) == pytest.approx(len(plain), abs=100)  # it tells its own elapsed time


def test_native_blocks_follow_the_client_s_revision(clickhouse: str) -> None:
    """0: bare blocks; 54405 (clickhouse-connect): block info before; 54460 (clickhouse-go): and a flag a column."""
    sql = b"SELECT toUInt8(7) AS a, ['x', 'yz'] AS b FORMAT Native"
    header, a, b = (
        b"\x02\x01",
        (b"\x01a\x05UInt8", b"\x07"),
        (b"\x01b\x0dArray(String)", b"\x02" + bytes(7) + b"\x01x\x02yz"),
    )
    assert ask(clickhouse, sql)[1] == header + b"".join(a + b)
    assert ask(clickhouse, sql, client_protocol_version=54405)[1] == BLOCK_INFO + header + b"".join(a + b)
    flagged = a[0] + b"\x00" + a[1] + b[0] + b"\x00" + b[1]
    assert ask(clickhouse, sql, client_protocol_version=54460)[1] == BLOCK_INFO + header + flagged
