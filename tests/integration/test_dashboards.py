"""Dashboards without Grafana: every query runs on the migrated schema with data, and the JSON is what the SDK knows."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from typer.testing import CliRunner

from dashboards.grafana import COMMITTED, check, parts, render
from dashboards.grafana.expand import NotUnderstood, Shown, Value, expand
from rectrace.cli import app
from schemas.alerts import AlertState, Change, Evaluation
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.migrate import Layout, migrate
from streams.alerts.definitions import DEFINITIONS
from streams.alerts.text import Links, addresses
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
NUMBERS: Final = re.compile(r"(Nullable\()?(U?Int|Float)\d+\)?")
TEXTS: Final = re.compile(r"(Nullable\()?(LowCardinality\(String\)|String)\)?")

UNITS: Final = {
    "string": TEXTS,
    "dateTimeAsIso": re.compile(r"(Nullable\()?DateTime(64)?\b.*"),
}


@pytest.fixture(scope="module")
def made(clickhouse: str) -> Iterator[Database]:
    """The incident, alerts, a deploy, an experiment's new arm, and a rule that is violated."""
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        newer = incident.Request("newer", 28_000, placement="home", k=1, experiments={"ranker": "v3"}, expects=["api"])
        newer.add("retrieval", "ann", 9, version="2.4.0", items=["g1", "g2"])
        newer.add("response", "api", 1, items=["g1"])
        database = incident.create(client, "test_dashboards", [newer.part()])
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
                assert UNITS.get(unit, NUMBERS).fullmatch(answer.columns[column])
        case kind:
            pytest.fail(f"nothing is known of {kind}")


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


def test_the_overview_says_what_is_wrong_where(ask: Asking) -> None:
    home, cart = ask.panel("rectrace-overview", "Placements").rows
    assert (home["placement"], home["requests"], home["of before"]) == ("home", 6, 1.5)
    assert (home["fallback"], home["no response"], home["p95"]) == (1 / 5, pytest.approx(1 / 6), 1222)
    assert (cart["placement"], cart["empty"], cart["of before"]) == ("cart", 1, None)
    (worst,) = ask.panel("rectrace-overview", "Segments that lose most").rows
    assert (worst["segment"], worst["requests"], worst["bad"]) == ("country=DE", 2, 1 / 2)
    assert worst["lost"] == pytest.approx(2 * (1 / 2 - 1 / 4))  # of the four others one has no response
    alone = ask.panel("rectrace-overview", "Placements", placement=["cart"], segment="country=DE")
    assert [(row["placement"], row["requests"]) for row in alone.rows] == [("cart", 1)]
    assert ask.panel("rectrace-overview", "Placements", placement=["nowhere"]).rows == []


def test_errors_are_stages_that_failed(ask: Asking) -> None:
    shares = [row["share"] for row in ask.panel("rectrace-overview", "Errors", placement=["home"]).rows]
    assert sum(share > 0 for share in shares) == 1  # of `fallback`, whose ranker timed out
    assert min(shares) == 0


def test_freshness_is_of_the_first_seal(clickhouse: str, database: str) -> None:
    rows = [(0, 1, 25, False), (0, 2, 500, False), (10, 3, 900, True), (20, 4, 90, False), (30, 5, 35, False)]
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        migrate(client, Layout(database))
        client.insert(
            f"{database}.sealed",
            [(NOON + window, run, 0, 0, 0, 0, lacks, (NOON + at) * 1000) for window, run, at, lacks in rows],
            ["window", "run", "tail", "rows", "requests", "orphans", "incomplete", "sealed_at"],
        )
        client.database = database
        late = Asking(client).panel("rectrace-overview", "Ingest freshness")
    assert [(row["time"].second, row["sealed after"]) for row in late.rows] == [(0, 15), (20, 60), (30, 0)]


def test_alerts_are_shown_until_they_end(ask: Asking) -> None:
    (fires,) = ask.panel("rectrace-overview", "Alerts").rows
    assert (fires["alert"], fires["severity"]) == ("SourceEmpty", "page")
    assert (fires["component"], fires["example"]) == ("ann", "empty")
    (query,) = {each.sql for each in ASKED.values() if each.name == "annotations_alerts"}
    marks = {row["title"]: row for row in ask(query).rows}
    assert {row["time"].timestamp() for row in marks.values()} == {NOON}
    ends = f"It ended on {incident.NOON + timedelta(seconds=30):%Y-%m-%d at %H:%M:%S} UTC."
    assert marks["EmptyResponses"]["text"].endswith(ends)
    assert marks["SourceEmpty"]["text"] == "ann returns nothing."


def test_deploys_and_new_arms_are_marked(ask: Asking) -> None:
    marks = {each.name: each.sql for each in ASKED.values() if each.kind == "annotation"}
    assert ask(marks["annotations_deploys"]).column("title") == ["ann 2.4.0"]
    assert ask(marks["annotations_experiments"]).column("title") == ["experiment.ranker=v3"]


def test_the_funnel_says_where_candidates_go(ask: Asking) -> None:
    components = ask.panel("rectrace-funnel", "Components", stage=["filtering"]).rows
    assert [(row["component"], row["in"], row["out"], row["out before"]) for row in components] == [
        ("region", 2, 0, None), ("stock", 7, 5.5, 7),
    ]  # fmt: skip
    reasons = ask.panel("rectrace-funnel", "Reasons", component=["stock"]).rows
    assert [(row["reason"], row["dropped"], row["share"]) for row in reasons] == [
        ("out_of_stock", 2, pytest.approx(2 / 3)), ("seen", 1, pytest.approx(1 / 3)),
    ]  # fmt: skip
    sources = {row["component"]: row for row in ask.panel("rectrace-funnel", "Sources", placement=["home"]).rows}
    # popular brings g5, g2, g6 and g7 twice: g5 and g2 are served, and g2 is of ann, too
    assert (sources["popular"]["requests"], sources["popular"]["survival"]) == (2, 4 / 8)
    assert sources["popular"]["found by it alone"] == 6 / 8
    # of whole and whole-2 g1 is of ann, g5 of popular, g2 of both; fallback, twice and newer serve one of ann each
    slots = {"ann": 2 * 1.5 + 1 + 1 + 1, "popular": 2 * 1.5}
    assert sources["ann"]["share of served"] == pytest.approx(slots["ann"] / sum(slots.values()))
    assert sources["ann"]["share of served"] + sources["popular"]["share of served"] == pytest.approx(1)
    mix = ask.panel("rectrace-funnel", "Why candidates are dropped")
    assert [(row["why"], row["share"]) for row in mix.rows if row["time"].second == 10] == [("region", 1)]


def test_rules_say_what_they_found_and_did(ask: Asking) -> None:
    rules = {row["rule"]: row for row in ask.panel("rectrace-rules", "Rules").rows}
    assert (rules["knit"]["judged"], rules["knit"]["at fault"], rules["knit"]["slots"]) == (2, 2, 0)
    assert (rules["boost_new_season"]["matched"], rules["boost_new_season"]["slots"]) == (2, 2)
    assert list(rules) == ["knit", "boost_new_season", "pin_campaign"]
    assert {row["request"]: row["item"] for row in ask.panel("rectrace-rules", "Violations").rows} == {
        "whole": "g1", "whole-2": "g1",
    }  # fmt: skip
    assert ask.panel("rectrace-rules", "Violations", rule=["pin_campaign"]).rows == []
    slots = ask.panel("rectrace-rules", "Slots by rule").rows
    assert {row["rule"]: row["share"] for row in slots if row["time"].second == 0} == {
        "boost_new_season": 2 / 6, "pin_campaign": 2 / 6,
    }  # fmt: skip
    home = {row["placement"]: row for row in ask.panel("rectrace-rules", "Placements").rows}["home"]
    assert (home["requests"], home["matched"], home["with conflicts"]) == (6, 2, 0)
    assert 0 < home["pressure"] < 1


def test_an_item_says_why_it_is_not_shown(ask: Asking) -> None:
    (summary,) = ask.panel("rectrace-items", "The item").rows
    assert (summary["requests"], summary["candidate in"], summary["served in"]) == (7, 4, 0)
    endings = ask.panel("rectrace-items", "Endings").rows
    assert [(row["fate"], row["component"], row["now"], row["before"], row["example"]) for row in endings] == [
        ("dropped", "stock", 2, 0, "whole"), ("dropped", "region", 1, 0, "empty"),
        ("stage_failed", "ranker", 1, 0, "fallback"), ("served", "", 0, 4, ""),
    ]  # fmt: skip
    assert ask.panel("rectrace-items", "Endings", segment="country=FR").column("now") == [1, 0]
    assert ask.panel("rectrace-items", "Catalogue", item="g2").column("title") == ["Silk Flared Knit Top"]


def test_requests_are_found_and_shown(ask: Asking) -> None:
    assert ask.panel("rectrace-requests", "Requests", item="").column("request")[0] == "newer"
    found = {
        "whole": {"user": "u-1", "placement": ["home"]}, "fallback": {"status": ["timeout", "fallback"], "item": ""},
        "empty": {"status": ["empty"]},
    }  # fmt: skip
    for request, chosen in found.items():
        assert ask.panel("rectrace-requests", "Requests", **chosen).column("request")[-1] == request  # type: ignore[arg-type]
    stages = ask.panel("rectrace-requests", "Stages of the request", request="fallback").rows
    assert [(row["component"], row["status"]) for row in stages] == [
        ("api", "ok"), ("ann", "ok"), ("ranker", "timeout"), ("api", "ok"),
    ]  # fmt: skip
    items = {row["item"]: row for row in ask.panel("rectrace-requests", "Candidates of the request").rows}
    assert (items["g2"]["position"], items["g2"]["sources"]) == (2, "ann, popular")
    assert (items["g3"]["position"], items["g3"]["dropped"]) == (0, "filtering/stock: out_of_stock")
    assert ask.panel("rectrace-requests", "Stages of the request", request="it's; DROP").rows == []


def test_a_line_is_where_the_alert_is() -> None:
    """By the constants of the alert engine."""
    boards = [document for uid, document in DOCUMENTS.items() if uid != parts.PIPELINE]  # of Prometheus' alerts
    lines = [panel for document in boards for panel in document["panels"] if panel["type"] == "timeseries"]
    steps = {panel["title"]: panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps") for panel in lines}
    drawn = {title: step[-1]["value"] for title, step in steps.items() if step}
    thresholds = {definition.name: definition.threshold for definition in DEFINITIONS}
    assert drawn == {
        title: thresholds[alert]
        for title, alert in {
            "Empty responses": "EmptyResponses", "Short responses": "ShortResponses", "Fallback": "FallbackResponses",
            "No response": "NoResponse", "Response time, p95": "LatencyHigh", "Failing": "StageFailing",
            "Sources that find nothing": "SourceEmpty", "Ingest freshness": "IngestLag",
        }.items()
    }  # fmt: skip


def test_what_an_alert_links_to_is_there() -> None:
    for alert, labels in (
        ("SegmentWorse", {"placement": "home", "segment": "country=DE"}),
        ("SegmentWorse", {"placement": "home", "stage": "s", "component": "c"}),
        ("IngestLag", {}),
    ):
        state = AlertState(alert, labels, "page", "firing", NOON, [(NOON, "b")])
        url = urlsplit(addresses(state, Links(grafana="http://grafana"))["dashboard_url"])
        variables = check.defaults(DOCUMENTS[url.path.removeprefix("/d/")])
        assert {name.removeprefix("var-") for name in parse_qs(url.query) if name.startswith("var-")} <= set(variables)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda board: board["panels"][3].pop("description"), "Empty responses: no description"),
        (lambda board: board["panels"][3]["fieldConfig"]["defaults"].pop("unit"), "Empty responses: no unit"),
        (lambda board: board["panels"][3].update(id=1), "2 panels have the id 1"),
        (lambda board: board["panels"][3]["gridPos"].update(y=0), "panels lie on each other"),
        (lambda board: board["templating"]["list"].pop(), "there is no variable segment"),
        (lambda board: board["panels"][3]["targets"][0].update(refId="A"), "there is no queries/A.sql"),
        (lambda board: board["panels"].append(board["panels"][3]), "queries/overview_share.sql: 2 panels ask the same"),
        (lambda board: board["panels"].pop(1), "queries/overview_now.sql: no dashboard uses it"),
        (lambda board: board["panels"][2]["fieldConfig"].update(overrides=[]), "Alerts: its rows link to nothing"),
        (lambda board: board.update(uid="another"), "rectrace-overview: its uid is 'another'"),
    ],
)
def test_what_is_wrong_is_said(break_it: Callable[[Any], object], said: str) -> None:
    broken = copy.deepcopy(DOCUMENTS)
    break_it(broken["rectrace-overview"])
    assert [line for line in check.problems(broken) if said in line]


@pytest.mark.parametrize(
    "sql",
    ["SELECT $__timeGroup(t)", "SELECT ${nobody:singlequote}", "SELECT ${item}", "$__conditionalAll(a = 1)",
     "$__conditionalAll(a = 1, ${item})", "$__conditionalAll(a = 1, $item"],
)  # fmt: skip
def test_what_the_data_source_would_not_understand_is_an_error(sql: str) -> None:
    with pytest.raises(NotUnderstood):
        expand(sql, Shown(0, 60, variables={"item": "g1"}))


def test_a_query_is_sent_as_the_data_source_sends_it() -> None:
    condition = "$__conditionalAll(f(a, b) IN (${p:singlequote}), $p)"
    sql = f"$__timeInterval(w) $__timeFilter(w) AND {condition} AND x = ${{i:singlequote}}"
    times = "toStartOfInterval(toDateTime(w), INTERVAL 30 second) w >= toDateTime(60) AND w <= toDateTime(120)"
    given: list[tuple[Value, str]] = [(["a", "b's"], "f(a, b) IN ('a','b\\'s')"), (["$__all"], "1=1"), ("", "1=1")]
    for chosen, sent in given:
        shown = Shown(60, 120, 30, {"p": chosen, "i": "$__x"})
        assert expand(sql, shown) == f"{times} AND {sent} AND x = '$__x'"


def test_the_commands_render_and_check(clickhouse: str, made: Database, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["dashboards", "render", "--out", str(tmp_path)])
    assert (done.exit_code, len(list(tmp_path.iterdir()))) == (0, len(DOCUMENTS))
    environment = {"RECTRACE_CLICKHOUSE": clickhouse, "RECTRACE_DATABASE": made.name}
    whole = ["dashboards", "check", str(tmp_path), "--run", "--since", "1h"]
    done = CliRunner().invoke(app, whole, env=environment)
    assert (done.exit_code, "nothing wrong" in done.stdout) == (0, True)
    file = tmp_path / "rectrace-items.json"
    file.write_text(file.read_text().replace("FROM catalog FINAL", "FROM catalogue FINAL"))
    done = CliRunner().invoke(app, whole, env=environment)
    assert done.exit_code == 1
    assert "rectrace-items: Catalogue" in done.stdout
    assert "catalogue" in done.stdout
