"""What Grafana asks of ClickHouse, asked without Grafana, and what it needs of the answers."""

import json
import re
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from dashboards.grafana import COMMITTED, check
from dashboards.grafana.expand import Shown, Value, expand
from schemas.alerts import AlertState, Change, Evaluation
from sinks.clickhouse.alerts import ClickHouseAlerts
from tests.support import incident
from tests.support.database import Database
from tests.support.rule_shop import Shop

DOCUMENTS: Final = {file.stem: json.loads(file.read_text()) for file in sorted(COMMITTED.glob("*.json"))}
NOON: Final = int(incident.NOON.timestamp())
CHOSEN: Final[dict[str, Value]] = {
    **{name: value for document in DOCUMENTS.values() for name, value in check.defaults(document).items()},
    "item": "g3", "request": "whole",
}  # fmt: skip
ASKED: Final = {
    f"{each.where} ({each.name})": each for document in DOCUMENTS.values() for each in check.asked(document)
}
_OF_DEMO: Final = ("rectrace-segments", "rectrace-experiments", "rectrace-scores")
_NUMBERS: Final = re.compile(r"(Nullable\()?(U?Int|Float)\d+\)?")
_TEXTS: Final = re.compile(r"(Nullable\()?(LowCardinality\(String\)|String)\)?")
_UNITS: Final = {
    "string": _TEXTS,
    "dateTimeAsIso": re.compile(r"(Nullable\()?DateTime(64)?\b.*"),
}


def create(client: Client, name: str) -> Database:
    """The incident, alerts, a deploy, an experiment's new arm, and a rule that is violated."""
    newer = incident.Request("newer", 28_000, placement="home", k=1, experiments={"ranker": "v3"}, expects=["api"])
    newer.add("retrieval", "ann", 9, version="2.4.0", items=["g1", "g2"])
    newer.add("response", "api", 1, items=["g1"])
    database = incident.create(client, name, [newer.part()])
    alert = AlertState(
        "SourceEmpty", {"placement": "cart", "stage": "retrieval", "component": "ann"}, "page", "firing", NOON,
        [(NOON, "b")], told=True, annotations={"summary": "ann returns nothing."}, examples=["empty"],
    )  # fmt: skip
    over = AlertState("EmptyResponses", {"placement": "cart"}, "page", "firing", NOON, [(NOON, "b")], told=True)
    began = [Change("firing", True, alert), Change("firing", True, over)]
    ended = [Change("resolved", True, over, NOON + 30)]
    ClickHouseAlerts(client, database.name).save(
        [
            Evaluation("sealed", NOON + 10, 1, "judged", [alert, over], began),
            Evaluation("sealed", NOON + 20, 1, "judged", [alert], ended),
        ]
    )
    shop = Shop(client, database.name)
    shop.publish({"id": "knit", "scope": "item", "when": "category = 'knit' AND has(sources, 'ann')"})
    shop.know("g1", category="knit", at=incident.NOON_MS - 1_000)
    shop.seal.seal(NOON)
    return database


class Answer:
    """What ClickHouse says: the types of the columns by name, the rows, and how many it read for them."""

    def __init__(self, client: Client, sql: str) -> None:
        result = client.query(sql, settings={"readonly": 1, "max_execution_time": 20})
        self.read = int(result.summary["read_rows"])
        self.columns = dict(zip(result.column_names, (kind.name for kind in result.column_types), strict=True))
        self.rows = [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


class Asking:
    """Asks as Grafana does, of a minute unless said otherwise: with rectrace's database as the default one."""

    def __init__(self, client: Client, since: int = NOON, seconds: int = 60) -> None:
        self._client = client
        self._since = since
        self._seconds = seconds

    def __call__(self, sql: str, **chosen: Value) -> Answer:
        shown = Shown(self._since, self._since + self._seconds - 1, variables={**CHOSEN, **chosen})
        return Answer(self._client, expand(sql, shown))

    def earlier(self, seconds: int) -> "Asking":
        """Of so much more time before."""
        return Asking(self._client, self._since - seconds, self._seconds + seconds)

    def panel(self, uid: str, title: str, **chosen: Value) -> Answer:
        (found,) = [each for each in check.asked(DOCUMENTS[uid]) if each.where == f"{uid}: {title}"]
        return self(found.sql, **chosen)


def of_demo(each: check.Asked) -> bool:
    """Whether it is of a dashboard that the incident is too small for."""
    return each.where.startswith(_OF_DEMO) and each.kind != "annotation"


def examine(each: check.Asked, answer: Answer) -> None:
    """There are rows, of the types that the panel needs."""
    assert answer.rows
    kinds = list(answer.columns.values())
    assert each.target["queryType"] == ("timeseries" if each.kind in {"timeseries", "heatmap"} else "table")
    match each.kind:
        case "variable":
            assert [bool(_TEXTS.fullmatch(kind)) for kind in kinds] == [True]
        case "annotation":
            assert answer.columns["time"].startswith("DateTime")
            assert _TEXTS.fullmatch(answer.columns["title"])
            assert _TEXTS.fullmatch(answer.columns["text"])
            assert answer.columns["tags"] == "Array(String)"
        case "timeseries" | "heatmap":
            assert (next(iter(answer.columns)), kinds[0].partition("(")[0]) == ("time", "DateTime")
            assert [kind for kind in kinds[1:] if not (_NUMBERS.fullmatch(kind) or _TEXTS.fullmatch(kind))] == []
            assert any(_NUMBERS.fullmatch(kind) for kind in kinds[1:])
            assert answer.column("time") == sorted(answer.column("time"))
            for label in re.findall(r"labels\.(\w+)", _panel(each.where)["fieldConfig"]["defaults"]["displayName"]):
                assert _TEXTS.fullmatch(answer.columns[label])
        case "stat":
            assert len(answer.rows) == 1
            for column in _overridden(each.where):
                assert _NUMBERS.fullmatch(answer.columns[column])
        case "table":
            assert list(answer.columns) == _overridden(each.where)
            for column, unit in _units(each.where).items():
                assert _UNITS.get(unit, _NUMBERS).fullmatch(answer.columns[column])
        case kind:
            raise AssertionError(f"nothing is known of {kind}")


def _panel(where: str) -> dict[str, Any]:
    uid, _, title = where.partition(": ")
    (panel,) = [panel for panel in DOCUMENTS[uid]["panels"] if panel["title"] == title]
    return dict(panel)


def _overridden(where: str) -> list[str]:
    return [override["matcher"]["options"] for override in _panel(where)["fieldConfig"]["overrides"]]


def _units(where: str) -> dict[str, str]:
    """Of the columns that are shown."""
    overrides = _panel(where)["fieldConfig"]["overrides"]
    found = {each["matcher"]["options"]: {p["id"]: p["value"] for p in each["properties"]} for each in overrides}
    return {column: said["unit"] for column, said in found.items() if not said.get("custom.hidden")}
