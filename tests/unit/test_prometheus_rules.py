"""The rules about rectrace itself, as far as they can be checked without Prometheus."""

import re
from collections.abc import Mapping
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import CollectorRegistry

from dashboards.prometheus import render, series
from dashboards.prometheus.alertmanager import causes, configuration
from dashboards.prometheus.alerts import ALERTS
from dashboards.prometheus.model import Alert, BadRule, Deployment, Recording
from dashboards.prometheus.recordings import recordings
from dashboards.prometheus.thresholds import DEAD_LETTER_SHARE, DEAD_LETTERS_A_MINUTE, SEAL_STALLED_S
from rectrace.settings import Settings
from streams.alerts.definitions import NAMES
from streams.metrics import Metrics
from streams.pipeline import Decoders, Pipeline, PipelinePolicy

RECORDED: Final = {recording.name: recording.expr for recording in recordings(Deployment())}
EXPRESSIONS: Final = {**RECORDED, **{alert.name: alert.expr for alert in ALERTS}}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_series_and_label_in_an_expression_exists(name: str) -> None:
    assert list(series.problems(EXPRESSIONS[name])) == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_the_labels_that_it_names(alert: Alert) -> None:
    assert set(alert.by) <= series.given_labels(alert.expr)


@pytest.mark.parametrize(
    ("expr", "told"),
    [
        ('sum(rectrace_lag{job="rectrace"})', "there is no series rectrace_lag"),
        ("rectrace:lag:sum > 3", "there is no series rectrace:lag:sum"),
        ('rectrace_lag_records{job="rectrace",shard="0"} offset 5m', "rectrace_lag_records has no label shard"),
        ('sum by (what) (rate(rectrace_seals_total{job="rectrace"}[5m]))', "nothing in it has a label what"),
        ('rate(rectrace_seals{job="rectrace"}[5m])', "there is no series rectrace_seals"),
        ("max(rectrace_sealing) == 1", 'rectrace_sealing is asked for without job="rectrace"'),
        ('up{job="rectrace"} and on (instance) up{job="other"}', 'up is asked for without job="rectrace"'),
        ('count({job="rectrace"})', "it asks for series without a name"),
        ('ALERTS{alertstate="firing"}', 'ALERTS is asked for without service="rectrace"'),
    ],
)
def test_what_prometheus_does_not_have_is_said(expr: str, told: str) -> None:
    assert list(series.problems(expr)) == [told]


def test_what_a_worker_holds_has_the_states_that_the_rule_names() -> None:
    metrics = Metrics(CollectorRegistry())
    Pipeline(PipelinePolicy(), Decoders.of_schemas(), metrics).tick(0, {})
    states = set(re.findall(r'state="(\w+)"', RECORDED["rectrace:held_bytes:ratio"]))
    held = [metrics.registry.get_sample_value("rectrace_held_bytes", {"state": state}) for state in states]
    assert held == [0, 0]


def test_thresholds_fit_the_settings() -> None:
    settings = Settings()
    assert settings.seal.patience < SEAL_STALLED_S
    assert settings.dead_letters.max_share == 2 * DEAD_LETTER_SHARE
    assert settings.dead_letters.max_count == 2 * DEAD_LETTERS_A_MINUTE
    assert Deployment().memory == settings.join.memory


# --- what is written


@pytest.mark.parametrize("name", render.files(Deployment(), {}))
def test_what_is_committed_is_what_is_rendered(name: str) -> None:
    assert (render.HERE / name).read_text() == render.files(Deployment(), {})[name]


def test_every_alert_has_what_somebody_who_is_woken_needs(tmp_path: Path) -> None:
    render.main(["--out", str(tmp_path), "--grafana", "https://g/base/", "--runbook", "https://git/RUNBOOK.md"])
    (group,) = yaml.safe_load((tmp_path / render.RULES).read_text())["groups"]
    headings = {
        line.removeprefix("## ").lower()
        for line in (tmp_path / "RUNBOOK.md").read_text().splitlines()
        if line.startswith("## ")
    }
    alerts = [rule for rule in group["rules"] if "alert" in rule]
    assert [rule["alert"] for rule in alerts] == [alert.name for alert in ALERTS]
    for rule in alerts:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert "$value" in rule["annotations"]["summary"]
        url, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert url == "https://git/RUNBOOK.md"
        assert anchor in headings
        assert rule["annotations"]["dashboard_url"].startswith("https://g/base/d/rectrace-pipeline?")


def test_the_bound_of_memory_follows_the_setting(tmp_path: Path) -> None:
    render.main(["--out", str(tmp_path / "new"), "--memory", "64000000"])
    text = (tmp_path / "new" / render.RULES).read_text()
    assert "/ 32000000\n" in text
    assert "/ 24000000\n" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--grafana", "grafana:3000"], "argument --grafana: must be http://... or https://..."),
        (["--runbook", "http://git/a?b"], "argument --runbook: must be http://... or https://..., without ? and #"),
        (["--memory", "1"], "argument --memory: must be bytes, at least 16000000"),
    ],
)
def test_what_is_no_url_and_no_size(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        render.main(arguments)
    assert told in capsys.readouterr().err


# --- what cannot be made


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "WorkerDown"}, "must be named Rectrace"),
        ({"severity": "critical"}, "severity must be page or ticket, not 'critical'"),
        ({"lasts": ""}, "lasts must be such as 5m"),
        ({"lingers": "soon"}, "lingers: 'soon' is no duration"),
        ({"summary": "It is down."}, "lacks the figure"),
        ({"by": ("instance", "topic")}, "does not name its labels"),
        ({"look": ("one", "two")}, "the first three things"),
        ({"look": ("one", "two", " ")}, "lacks a text"),
        ({"meaning": ""}, "lacks a text"),
        ({"silence": ""}, "lacks a text"),
        ({"expr": ""}, "lacks a text"),
    ],
)
def test_an_alert_that_lacks_something_cannot_be_made(change: Mapping[str, Any], told: str) -> None:
    with pytest.raises(BadRule, match=told):
        replace(ALERTS[0], **change)


@pytest.mark.parametrize("change", [{"name": "workers_up"}, {"expr": " "}, {"says": ""}])
def test_a_recording_rule_that_lacks_something_cannot_be_made(change: Mapping[str, str]) -> None:
    with pytest.raises(BadRule):
        replace(Recording("rectrace:workers_up:sum", "sum(up)", "workers"), **change)


# --- who hears what


def test_no_name_is_that_of_an_alert_about_the_recommender() -> None:
    names = [alert.name for alert in ALERTS]
    assert len(set(names)) == len(names)
    assert set(names).isdisjoint(NAMES)


def test_causes_are_alerts_and_never_go_in_a_circle() -> None:
    known = {alert.name for alert in ALERTS} | set(NAMES)
    assert {*causes(), *(name for each in causes().values() for name in each)} <= known
    assert list(TopologicalSorter(causes()).static_order())  # raises CycleError


def test_a_page_is_never_kept_back_by_a_ticket() -> None:
    severity = {alert.name: alert.severity for alert in ALERTS}
    for target, sources in causes().items():
        if severity.get(target, "page") == "page":
            assert {severity.get(source, "page") for source in sources} == {"page"}


def test_without_a_webhook_nobody_is_told() -> None:
    receivers = configuration({"page": "http://pager/"})["receivers"]
    hooks = {receiver["name"]: receiver.get("webhook_configs") for receiver in receivers}
    assert hooks == {"page": [{"url": "http://pager/", "send_resolved": True}], "ticket": None, "info": None}
