"""What Grafana asks of ClickHouse, asked without Grafana, and what it needs of the answers."""

import json
import re
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from dashboards.grafana import COMMITTED, check
from dashboards.grafana.expand import Shown, Value, expand
from tests.support import incident

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
    "bool_yes_no": re.compile(r"(Nullable\()?Bool\)?"),
}


class Answer:
    """What ClickHouse says: the types of the columns by name, and the rows."""

    def __init__(self, client: Client, sql: str) -> None:
        result = client.query(sql, settings={"readonly": 1, "max_execution_time": 20})
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
