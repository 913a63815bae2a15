"""Dashboards without Grafana: every query runs on the migrated schema with data, and the JSON is what the SDK knows."""

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import clickhouse_connect
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from typer.testing import CliRunner

from dashboards.grafana import COMMITTED, check, formulas, parts, render
from dashboards.grafana.expand import NotUnderstood, Shown, Value, expand
from rectrace.cli import app
from schemas.alerts import AlertState
from sinks.clickhouse.migrate import Layout, migrate
from streams.alerts.definitions import DEFINITIONS
from streams.alerts.text import Links, addresses
from streams.detect.proportion import Share, wilson
from streams.detect.tails import chi_square_tail
from tests.support import incident
from tests.support.database import Database
from tests.support.panels import ASKED, DOCUMENTS, NOON, Asking, create, examine, of_demo


@pytest.fixture(scope="module")
def made(clickhouse: str) -> Iterator[Database]:
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        database = create(client, "test_dashboards")
        yield database
        client.command(f"DROP DATABASE {database.name} SYNC")


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


@pytest.mark.parametrize("name", [name for name, each in ASKED.items() if not of_demo(each)])
def test_a_query_gives_rows_of_the_types_that_its_panel_needs(ask: Asking, name: str) -> None:
    examine(ASKED[name], ask(ASKED[name].sql))


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
        "empty": {"status": ["empty"]}, "whole-2": {"segment": "country=FR"},
        "newer": {"segment": "experiment.ranker=v3", "item": ""},
    }  # fmt: skip
    for request, chosen in found.items():
        assert ask.panel("rectrace-requests", "Requests", **chosen).column("request")[-1] == request  # type: ignore[arg-type]
    at_fault = ask.panel("rectrace-requests", "Requests", item="", rule="knit").column("request")
    assert at_fault
    assert set(at_fault) == set(ask("SELECT request_id FROM violations WHERE rule = 'knit'").column("request_id"))
    assert ask.panel("rectrace-requests", "Requests", item="", rule="nobody's").rows == []
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
            "Scores that say nothing": "ScoresDegenerate",
            "Empty responses": "EmptyResponses", "Short responses": "ShortResponses", "Fallback": "FallbackResponses",
            "No response": "NoResponse", "Response time, p95": "LatencyHigh", "Failing": "StageFailing",
            "Sources that find nothing": "SourceEmpty", "Ingest freshness": "IngestLag",
        }.items()
    }  # fmt: skip


def test_formulas_are_those_of_the_alerts(ask: Asking) -> None:
    shares = [(0, 1), (0, 300), (3, 40), (20, 20), (12.5, 4_000)]
    low, high = formulas.wilson("part", "whole", 1.64)
    variance = formulas.variance("part", "whole")
    columns = f"arrayJoin({shares}::Array(Tuple(Float64, Float64))) AS s, s.1 AS part, s.2 AS whole"
    for row in ask(f"SELECT {columns}, {low} AS low, {high} AS high, {variance} AS variance").rows:
        part, whole = row["part"], row["whole"]
        assert (row["low"], row["high"]) == pytest.approx(wilson(part, whole, 1.64), abs=1e-12)
        assert row["variance"] == pytest.approx(Share(part, whole, whole).variance)
    tail = formulas.chi_square_tail("x", "freedom")
    columns = "arrayJoin([0., 0.3, 1, 4, 15, 60, 300]) AS x, arrayJoin(range(1, 9)) AS freedom"
    for row in ask(f"SELECT {columns}, {tail} AS p").rows:
        assert row["p"] == pytest.approx(chi_square_tail(row["x"], row["freedom"]), rel=1e-9, abs=1e-15)


def test_what_an_alert_links_to_is_there() -> None:
    component = {"placement": "home", "stage": "scoring", "component": "ranker"}
    every = {
        "EmptyResponses": ({"placement": "home", "segment": "country=DE"}, "overview", {"placement", "segment"}),
        "StageFailing": (component, "funnel", {"placement", "stage", "component"}),
        "SegmentWorse": ({"placement": "home", "segment": "country=DE"}, "segments", {"placement"}),
        "ScoreDrift": (component, "scores", {"placement", "scorer"}),
        "ScoresDegenerate": (component, "scores", {"placement", "scorer"}),
        "SampleRatioMismatch": ({"experiment": "ranker"}, "experiments", {"experiment"}),
        "RuleViolated": ({"rule": "a", "owner": "o", "placement": "home"}, "rules", {"placement", "rule"}),
        "RulePressure": ({"placement": "home"}, "rules", {"placement"}),
        "IngestLag": ({}, "pipeline", set()),
    }
    for alert, (labels, dashboard, variables) in every.items():
        state = AlertState(alert, labels, "page", "firing", NOON, [(NOON, "b")])
        url = urlsplit(addresses(state, Links(grafana="http://grafana"))["dashboard_url"])
        assert url.path == f"/d/rectrace-{dashboard}"
        assert {name.removeprefix("var-") for name in parse_qs(url.query) if name.startswith("var-")} == variables
        assert variables <= set(check.defaults(DOCUMENTS[f"rectrace-{dashboard}"]))


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
