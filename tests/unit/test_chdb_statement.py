"""What kind of statement it is, and where its data begins."""

import pytest

from rectrace.local.chdb_server.failure import Failure
from rectrace.local.chdb_server.statement import Insert, Statement, parse


@pytest.mark.parametrize(
    ("sql", "head", "form", "data"),
    [
        (b"INSERT INTO t FORMAT JSONEachRow\n{}", "INSERT INTO t ", "JSONEachRow", b"{}"),
        (b"INSERT INTO t FORMAT TSV \t\r\n\na\tb", "INSERT INTO t ", "TSV", b"\na\tb"),
        (b"INSERT INTO t FORMAT Native\n\x00\xff;'\n", "INSERT INTO t ", "Native", b"\x00\xff;'\n"),
        (b"insert into t (a, b) format CSV 1,2", "insert into t (a, b) ", "CSV", b"1,2"),
        (
            b"INSERT INTO t (a) SETTINGS x=1, y='FORMAT' FORMAT CSV\n1",
            "INSERT INTO t (a) SETTINGS x=1, y='FORMAT' ",
            "CSV",
            b"1",
        ),
        (b"INSERT INTO t VALUES (1, 'a;b')", "INSERT INTO t ", "Values", b" (1, 'a;b')"),
        (b"INSERT INTO t (a) VALUES(1);", "INSERT INTO t (a) ", "Values", b"(1);"),
        (b"INSERT INTO values VALUES (1)", "INSERT INTO values ", "Values", b" (1)"),
        (b"INSERT INTO format.select VALUES (1)", "INSERT INTO format.select ", "Values", b" (1)"),
        (
            b"INSERT INTO TABLE `FORMAT x` (`SELECT`) FORMAT TSV\n",
            "INSERT INTO TABLE `FORMAT x` (`SELECT`) ",
            "TSV",
            b"",
        ),
        (b"/* FORMAT a */ INSERT -- VALUES\n t FORMAT TSV\nx", "/* FORMAT a */ INSERT -- VALUES\n t ", "TSV", b"x"),
        (b"INSERT INTO FUNCTION null('a UInt8') FORMAT TSV\n1", "INSERT INTO FUNCTION null('a UInt8') ", "TSV", b"1"),
        (b"INSERT INTO t (* EXCEPT(b)) FORMAT TSV\n1", "INSERT INTO t (* EXCEPT(b)) ", "TSV", b"1"),
    ],
)
def test_an_insert_with_data(sql: bytes, head: str, form: str, data: bytes) -> None:
    assert parse(sql) == Insert(head, form, data)


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t SELECT 1 FORMAT Null",
        b"INSERT INTO t (a) WITH 1 AS x SELECT x",
        b"INSERT INTO t SETTINGS x=1 SELECT * FROM values",
        b"INSERT INTO t",
        b"INSERT",
        b"WITH 1 AS x INSERT INTO t SELECT x",
    ],
)
def test_an_insert_without_data_is_a_statement_without_result(sql: bytes) -> None:
    found = parse(sql)
    assert isinstance(found, Statement)
    assert (found.sql, found.reads, found.has_result) == (sql.decode(), False, False)


@pytest.mark.parametrize(
    ("sql", "form", "reads", "has_result"),
    [
        (b"SELECT 1", None, True, True),
        (b" -- x\n/* y */ ((SELECT 1)) FORMAT JSON;", "JSON", True, True),
        (b"SELECT 'FORMAT x' FORMAT CSV SETTINGS a=1", "CSV", True, True),
        (b"SELECT 'insert into t'", None, True, True),
        (b"with 1 as x select x", None, True, True),
        (b"SHOW TABLES", None, False, True),
        (b"DESCRIBE t FORMAT Native", "Native", False, True),
        (b"CREATE TABLE t (a UInt8) ENGINE = Memory", None, False, False),
        (b"", None, False, False),
    ],
)
def test_other_statements(sql: bytes, form: str | None, reads: bool, has_result: bool) -> None:
    assert parse(sql) == Statement(sql.decode(), form, reads, has_result, uses=None)


@pytest.mark.parametrize(("sql", "database"), [(b"USE a", "a"), (b" use `b c` ", "b c"), (b'USE "d";', "d")])
def test_use(sql: bytes, database: str) -> None:
    found = parse(sql)
    assert isinstance(found, Statement)
    assert found.uses == database


@pytest.mark.parametrize(
    "sql", [b"SELECT 1; SELECT 2", b"DROP TABLE t;;DROP TABLE u", b"INSERT INTO t SELECT 1; SELECT 1"]
)
def test_a_second_statement_is_refused(sql: bytes) -> None:
    with pytest.raises(Failure, match="Multi-statements are not allowed") as caught:
        parse(sql)
    assert (caught.value.code, caught.value.status) == (62, 400)


@pytest.mark.parametrize("sql", [b"SELECT 1;", b"SELECT ';' ; ; -- ;\n", b"SELECT 1 /* ; */", b'SELECT ";"'])
def test_a_semicolon_is_not_a_second_statement(sql: bytes) -> None:
    assert isinstance(parse(sql), Statement)


def test_sql_that_is_not_utf8_is_a_syntax_error() -> None:
    with pytest.raises(Failure, match="byte 8 of the query is not UTF-8") as caught:
        parse(b"SELECT '\xff'")
    assert caught.value.code == 62
