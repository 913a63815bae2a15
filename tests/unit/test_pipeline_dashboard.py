"""The dashboard of the pipeline's health, as far as it can be checked without Prometheus."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboards.grafana import COMMITTED, check, measures
from dashboards.grafana.expand import NotUnderstood, Shown, Value
from dashboards.grafana.promql import expand
from dashboards.prometheus.alerts import ALERTS
from dashboards.prometheus.model import DASHBOARD, Alert, Deployment
from dashboards.prometheus.thresholds import HELD

DOCUMENTS: Final = {file.stem: json.loads(file.read_text()) for file in sorted(COMMITTED.glob("*.json"))}
PIPELINE: Final = DOCUMENTS[DASHBOARD]
BY_NAME: Final = {alert.name: alert for alert in ALERTS}
# Of these there is no line: they compare nothing with a threshold of their own, or the other side of one that is drawn.
WITHOUT_LINE: Final = {"RectraceClickhouseAway", "RectraceManySeal", "RectraceRulesFailing"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_what_an_alert_links_to_is_there(alert: Alert) -> None:
    url = urlsplit(alert.rendered(Deployment())["annotations"]["dashboard_url"])
    asked = {name.removeprefix("var-") for name in parse_qs(url.query) if name.startswith("var-")}
    assert asked == set(alert.by)
    assert asked <= set(check.defaults(DOCUMENTS[url.path.removeprefix("/d/")]))


def drawn() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The description and the steps of everything that has a threshold."""
    for panel in [each for each in PIPELINE["panels"] if each["type"] != "row"]:
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        of_fields = [
            said["value"]["steps"]
            for override in panel["fieldConfig"]["overrides"]
            for said in override["properties"]
            if said["id"] == "thresholds"
        ]
        for each in [steps, *of_fields]:
            if len(each) == 2:
                yield panel["description"], each


def test_a_line_is_where_the_alert_is() -> None:
    lines = list(drawn())
    named = {name for description, _ in lines for name in re.findall(r"alert (Rectrace\w+)", description)}
    assert named == set(BY_NAME) - WITHOUT_LINE
    for description, (low, high) in lines:
        sign = "<" if low["color"] == "red" else ">"
        alerts = [BY_NAME[name] for name in re.findall(r"alert (Rectrace\w+)", description)]
        assert [alert.name for alert in alerts if f"{sign} {high['value']}" in alert.expr]


def test_a_line_without_an_alert_cannot_be_drawn() -> None:
    assert measures.limit("RectraceMemoryHigh", HELD, "85%").more
    for value in (0.5, 0.8):
        with pytest.raises(ValueError, match=f"RectraceMemoryHigh does not compare with {value}"):
            measures.limit("RectraceMemoryHigh", value, "")


def panel(document: Any, title: str) -> Any:
    (found,) = [each for each in document["panels"] if each["title"] == title]
    return found


def rewrite(title: str, old: str, new: str) -> Callable[[Any], None]:
    """What replaces part of an expression."""

    def break_it(document: Any) -> None:
        (target,) = panel(document, title)["targets"]
        assert old in target["expr"]
        target["expr"] = target["expr"].replace(old, new)

    return break_it


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (rewrite("Lag", "rectrace_lag_records", "rectrace_lag"), "Lag: there is no series rectrace_lag"),
        (rewrite("Lag", 'topic=~"$topic"', 'subject=~"$topic"'), "Lag: rectrace_lag_records has no label subject"),
        (rewrite("Lag", "by (topic, ", "by (what, "), "Lag: nothing in it has a label what"),
        (rewrite("Lag", "by (topic, partition)", "by (topic)"), "Lag: partition_lag has no label partition"),
        (rewrite("Lag", "$topic", "$subject"), "Lag: there is no variable subject"),
        (rewrite("Lag", "max", "min"), "Lag: it is not partition_lag of queries/pipeline.py"),
        (rewrite("Ingest freshness", "max", "min"), "there is no series rectrace:ingest_freshness_seconds:min"),
        (lambda board: panel(board, "Held").pop("description"), "Held: no description"),
        (lambda board: panel(board, "Held")["fieldConfig"]["defaults"].pop("unit"), "Held: no unit"),
        (lambda board: panel(board, "Held")["targets"][0].pop("legendFormat"), "Held: nothing says what its lines are"),
        (
            lambda board: panel(board, "Held")["targets"][0]["datasource"].update(uid="P1"),
            "Held: its data source is not ${prometheus}",
        ),
        (lambda board: board["templating"]["list"].pop(1), "Scrapes answered: there is no variable instance"),
        (
            lambda board: board["templating"]["list"][1]["query"].update(
                query='label_values(up{job="rectrace"}, worker)'
            ),
            "variable instance: instances has no label worker",
        ),
        (
            lambda board: board["annotations"]["list"][0].update(titleFormat="{{name}}"),
            "annotation Alerts about rectrace: annotation_alerts has no label name",
        ),
        (lambda board: board["panels"].pop(3), "queries/pipeline.py: no dashboard uses answered"),
        (lambda board: board["panels"].append(panel(board, "Held")), "queries/pipeline.py: 2 panels ask held"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(break_it: Callable[[Any], object], said: str) -> None:
    broken = copy.deepcopy(DOCUMENTS)
    break_it(broken[DASHBOARD])
    assert [line for line in check.problems(broken) if said in line]


@pytest.mark.parametrize(
    ("chosen", "sent"),
    [
        ("w1:9464", 'up{instance=~"w1:9464"}'),
        (["rectrace.stages"], r'up{instance=~"rectrace\\.stages"}'),
        (["a", "b(c)"], r'up{instance=~"(a|b\\(c\\))"}'),
        (["$__all"], 'up{instance=~".*"}'),
    ],
)
def test_an_expression_is_sent_as_the_data_source_sends_it(chosen: Value, sent: str) -> None:
    assert expand('up{instance=~"$instance"}', Shown(0, 60, variables={"instance": chosen})) == sent


def test_a_rate_is_over_four_scrapes_at_least() -> None:
    asked = "rate(x[$__rate_interval])"
    assert expand(asked, Shown(0, 3_600, 15)) == "rate(x[60s])"
    assert expand(asked, Shown(0, 86_400, 120)) == "rate(x[135s])"


def test_what_the_data_source_would_not_understand_is_an_error() -> None:
    with pytest.raises(NotUnderstood, match="there is no variable worker"):
        expand('up{instance=~"$worker"}', Shown(0, 60))
