"""Dashboards without Grafana: every query runs on the migrated schema with data, and the JSON is what the SDK knows."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

from dashboards.grafana import COMMITTED, check, parts, render
from dashboards.grafana.expand import Shown, Value, expand
from schemas.alerts import AlertState, Change, Evaluation
from sinks.clickhouse.alerts import ClickHouseAlerts
from tests.support import incident
from tests.support.database import Database

DOCUMENTS: Final = {file.stem: json.loads(file.read_text()) for file in sorted(COMMITTED.glob("*.json"))}
NOON: Final = int(incident.NOON.timestamp())
CHOSEN: Final[dict[str, Value]] = {
    **{name: value for document in DOCUMENTS.values() for name, value in check.defaults(document).items()},
    "item": "g3", "request": "whole",
}  # fmt: skip
ASKED: Final = {
    f"{each.where} ({each.name})": each for document in DOCUMENTS.values() for each in check.asked(document)
}
NUMBERS: Final = re.compile(r"(Nullable\()?(U?Int|Float)\d+\)?")
TEXTS: Final = re.compile(r"(Nullable\()?(LowCardinality\(String\)|String)\)?")

UNITS: Final = {
    "string": TEXTS,
    "dateTimeAsIso": re.compile(r"(Nullable\()?DateTime(64)?\b.*"),
    "bool_yes_no": re.compile(r"(Nullable\()?Bool\)?"),
}


@pytest.fixture(scope="module")
def made(clickhouse: str) -> Iterator[Database]:
    """The incident, an alert that fires, a deploy, and an experiment's new arm."""
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        newer = incident.Request("newer", 28_000, placement="home", k=1, experiments={"ranker": "v3"}, expects=["api"])
        newer.add("retrieval", "ann", 9, version="2.4.0", items=["g1", "g2"])
        newer.add("response", "api", 1, items=["g1"])
        database = incident.create(client, "test_dashboards", [newer.part()])
        alert = AlertState(
            "SourceEmpty", {"placement": "cart", "stage": "retrieval", "component": "ann"}, "page", "firing", NOON,
            [(NOON, "b")], told=True, annotations={"summary": "ann returns nothing."}, examples=["empty"],
        )  # fmt: skip
        ClickHouseAlerts(client, database.name).save(
            [Evaluation("sealed", NOON + 10, 1, "judged", [alert], [Change("firing", True, alert)])]
        )
        yield database
        client.command(f"DROP DATABASE {database.name} SYNC")


class Answer:
    """What ClickHouse says: the types of the columns by name, and the rows."""

    def __init__(self, client: Client, sql: str) -> None:
        result = client.query(sql, settings={"readonly": 1, "max_execution_time": 20})
        self.columns = dict(zip(result.column_names, (kind.name for kind in result.column_types), strict=True))
        self.rows = [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


class Asking:
    """Asks as Grafana does: with rectrace's database as the default one."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(self, sql: str, **chosen: Value) -> Answer:
        return Answer(self._client, expand(sql, Shown(NOON, NOON + 59, variables={**CHOSEN, **chosen})))

    def panel(self, uid: str, title: str, **chosen: Value) -> Answer:
        (found,) = [each for each in check.asked(DOCUMENTS[uid]) if each.where == f"{uid}: {title}"]
        return self(found.sql, **chosen)


@pytest.fixture(scope="module")
def ask(clickhouse: str, made: Database) -> Iterator[Asking]:
    with clickhouse_connect.get_client(dsn=clickhouse, database=made.name) as client:
        yield Asking(client)


def test_what_is_committed_is_what_the_builders_give() -> None:
    assert {name: render.text(document) for name, document in render.documents().items()} == {
        file.stem: file.read_text() for file in COMMITTED.glob("*.json")
    }


def test_nothing_is_wrong_with_them() -> None:
    assert check.problems(DOCUMENTS) == []


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_the_sdk_knows_every_key(uid: str) -> None:
    register_default_plugins()
    read = parts.Board.from_json(DOCUMENTS[uid])
    assert render.text(json.loads(json.dumps(read, cls=JSONEncoder))) == render.text(DOCUMENTS[uid])


@pytest.mark.parametrize("name", ASKED)
def test_a_query_gives_rows_of_the_types_that_its_panel_needs(ask: Asking, name: str) -> None:
    each, answer = ASKED[name], ask(ASKED[name].sql)
    assert answer.rows
    kinds = list(answer.columns.values())
    match each.kind:
        case "variable":
            assert [bool(TEXTS.fullmatch(kind)) for kind in kinds] == [True]
        case "annotation":
            assert answer.columns["time"].startswith("DateTime")
            assert TEXTS.fullmatch(answer.columns["title"])
            assert TEXTS.fullmatch(answer.columns["text"])
            assert answer.columns["tags"] == "Array(String)"
        case "timeseries":
            assert (next(iter(answer.columns)), kinds[0].partition("(")[0]) == ("time", "DateTime")
            assert [kind for kind in kinds[1:] if not (NUMBERS.fullmatch(kind) or TEXTS.fullmatch(kind))] == []
            assert any(NUMBERS.fullmatch(kind) for kind in kinds[1:])
            assert answer.column("time") == sorted(answer.column("time"))
            for label in re.findall(r"labels\.(\w+)", _panel(each.where)["fieldConfig"]["defaults"]["displayName"]):
                assert TEXTS.fullmatch(answer.columns[label])
        case "stat":
            assert len(answer.rows) == 1
            for column in _overridden(each.where):
                assert NUMBERS.fullmatch(answer.columns[column])
        case "table":
            assert list(answer.columns) == _overridden(each.where)
            for column, unit in _units(each.where).items():
                wanted = {
                    "string": TEXTS,
                    "dateTimeAsIso": re.compile(r".*DateTime.*"),
                    "bool_yes_no": re.compile(r".*Bool.*"),
                }
                assert wanted.get(unit, NUMBERS).fullmatch(answer.columns[column]) or column in {"took", "latency"}
        case kind:
            pytest.fail(f"nothing is known of {kind}")


def _panel(where: str) -> dict[str, Any]:
    uid, _, title = where.partition(": ")
    (panel,) = [panel for panel in DOCUMENTS[uid]["panels"] if panel["title"] == title]
    return dict(panel)


def _overridden(where: str) -> list[str]:
    return [override["matcher"]["options"] for override in _panel(where)["fieldConfig"]["overrides"]]


def _units(where: str) -> dict[str, str]:
    return {
        override["matcher"]["options"]: each["value"]
        for override in _panel(where)["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "unit"
    }
