"""What must hold of rendered dashboards, beyond that Grafana takes them. Pure: documents in, problems out."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboards import queries
from dashboards.grafana.expand import Value

Document = Mapping[str, Any]

_SOURCE: Final = "${clickhouse}"
_TIMES: Final = "${__url_time_range}"
_USED: Final = re.compile(r"(?<![\w$])\$\{?(?!__)(\w+)(?:[:}]|\b)")
_COLUMN: Final = re.compile(r"\$\{__data\.fields\.([^:}]+)")
_WIDE: Final = 24  # columns of the grid


@dataclass(frozen=True)
class Asked:
    """One query of a dashboard. kind: variable, annotation, or the type of the panel. where: for people."""

    kind: str
    where: str
    name: str
    sql: str
    target: Mapping[str, Any]


def asked(document: Document) -> Iterator[Asked]:
    """Every query of a dashboard, in its order."""
    uid = document["uid"]
    for variable in _variables(document):
        if variable["type"] == "query":
            yield _asked("variable", f"{uid}: variable {variable['name']}", variable["query"])
    for annotation in document.get("annotations", {}).get("list", []):
        yield _asked("annotation", f"{uid}: annotation {annotation['name']}", annotation["target"])
    for panel in document["panels"]:
        for target in panel.get("targets", []):
            yield _asked(panel["type"], _where(document, panel), target)


def defaults(document: Document) -> dict[str, Value]:
    """The variables of a dashboard as they are before anybody chooses."""
    return {variable["name"]: variable["current"]["value"] for variable in _variables(document)}


def problems(documents: Mapping[str, Document]) -> list[str]:
    """A line for each thing that is wrong. documents: all of them, by the name of the file."""
    found: list[str] = []
    for name, document in documents.items():
        if name != document.get("uid"):
            found.append(f"{name}: its uid is {document.get('uid')!r}")
        found += _of_dashboard(document)
        found += _of_queries(document)
        found += _of_links(document, {each["uid"]: each for each in documents.values()})
    return [*found, *_of_files(documents)]


def _of_dashboard(document: Document) -> Iterator[str]:
    uid = document["uid"]
    for what in ("title", "description"):
        if not document.get(what):
            yield f"{uid}: no {what}"
    panels = document["panels"]
    for what in ("id", "title"):
        for value, times in Counter(panel.get(what) for panel in panels).items():
            if times > 1:
                yield f"{uid}: {times} panels have the {what} {value!r}"
    for panel in panels:
        where = _where(document, panel)
        for what in ("id", "title", "description", "targets"):
            if not panel.get(what):
                yield f"{where}: no {what}"
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{where}: no unit"
        if panel["type"] == "timeseries" and not panel["fieldConfig"]["defaults"].get("displayName"):
            yield f"{where}: nothing says what its lines are called"
    cells = Counter(cell for panel in panels for cell in _cells(panel["gridPos"]))
    if any(times > 1 for times in cells.values()):
        yield f"{uid}: panels lie on each other"
    if any(x >= _WIDE for x, _ in cells):
        yield f"{uid}: a panel is wider than the page"


def _of_queries(document: Document) -> Iterator[str]:
    known = {variable["name"] for variable in _variables(document)}
    for each in asked(document):
        if each.name not in queries.names():
            yield f"{each.where}: there is no queries/{each.name}.sql"
        if each.target["datasource"].get("uid") != _SOURCE:
            yield f"{each.where}: its data source is not {_SOURCE}"
        for name in sorted(set(_USED.findall(each.sql)) - known):
            yield f"{each.where}: there is no variable {name}"


def _of_links(document: Document, others: Mapping[str, Document]) -> Iterator[str]:
    here = {variable["name"] for variable in _variables(document)}
    for panel in document["panels"]:
        where, columns = _where(document, panel), set()
        links: list[str] = []
        for override in panel["fieldConfig"].get("overrides", []):
            columns.add(override["matcher"]["options"])
            links += [link["url"] for each in override["properties"] if each["id"] == "links" for link in each["value"]]
        if panel["type"] == "table" and not links:
            yield f"{where}: its rows link to nothing"
        for url in links:
            path, _, parameters = url.partition("?")
            target = others.get(path.removeprefix("/d/"))
            if target is None:
                yield f"{where}: there is no dashboard {path}"
                continue
            if _TIMES not in parameters.split("&"):
                yield f"{where}: the link to {path} loses the time range"
            there = {variable["name"] for variable in _variables(target)}
            for name in re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", parameters):
                if "".join(name) not in there:
                    yield f"{where}: {path} has no variable {''.join(name)}"
                if name[1] and name[1] not in here:
                    yield f"{where}: there is no variable {name[1]}"
            for name in set(_COLUMN.findall(parameters)) - columns:
                yield f"{where}: a link takes {name}, which is no column"


def _of_files(documents: Mapping[str, Document]) -> Iterator[str]:
    """Every file is used, and no panel asks what another one has asked already."""
    every = [each for document in documents.values() for each in asked(document)]
    for name in sorted(set(queries.names()) - {each.name for each in every}):
        yield f"queries/{name}.sql: no dashboard uses it"
    panels = Counter((each.name, each.sql) for each in every if each.kind not in {"variable", "annotation"})
    for (name, _), times in panels.items():
        if times > 1:
            yield f"queries/{name}.sql: {times} panels ask the same"


def _asked(kind: str, where: str, target: Mapping[str, Any]) -> Asked:
    return Asked(kind, where, target["refId"], target["rawSql"], target)


def _variables(document: Document) -> list[Mapping[str, Any]]:
    listed: list[Mapping[str, Any]] = document.get("templating", {}).get("list", [])
    return listed


def _where(document: Document, panel: Mapping[str, Any]) -> str:
    return f"{document['uid']}: {panel.get('title') or 'panel ' + str(panel.get('id'))}"


def _cells(place: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y
