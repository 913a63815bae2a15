"""Prometheus and Alertmanager themselves, with the rules and the configuration that are committed."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client import CollectorRegistry

from dashboards.prometheus import render
from dashboards.prometheus.model import Deployment
from dashboards.prometheus.recordings import JOB, recordings
from rectrace.local.alertmanager import RunningAlertmanager, start_alertmanager
from rectrace.local.ports import LOOPBACK
from rectrace.local.prometheus import RunningPrometheus, start_prometheus
from schemas.alerts import Notification
from sinks.alertmanager import Alertmanager
from streams.metrics import Metrics
from streams.status import StatusServer
from tests.support.prometheus import ask, hurried_rules
from tests.support.promtool import run
from tests.support.service import eventually
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.needs("prometheus"), pytest.mark.needs("alertmanager")]

ROOT: Final = Path(__file__).parents[2]
CONFIGURATION: Final = render.HERE / render.ALERTMANAGER


# --- routes


def test_amtool_takes_the_configuration() -> None:
    done = run("amtool", "check-config", str(CONFIGURATION))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 receivers" in done.stdout


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("page", ["alertname=EmptyResponses", "severity=page", "placement=home"]),
        ("page", ["alertname=RectraceDown", "severity=page"]),
        ("ticket", ["alertname=YieldShift", "severity=ticket", "stage=filtering", "component=policy"]),
        ("info", ["alertname=RuleViolated", "severity=info", "rule=out-of-season"]),
        ("ticket", ["alertname=SomebodyElses"]),
    ],
)
def test_each_severity_has_its_route(receiver: str, labels: list[str]) -> None:
    command = ["amtool", "config", "routes", "test", f"--config.file={CONFIGURATION}"]
    done = run(*command, f"--verify.receivers={receiver}", *labels)
    assert done.returncode == 0, done.stdout + done.stderr


# --- Alertmanager


def quick(directory: Path, hook: Webhook) -> str:
    """The configuration as rendered with webhooks, without the time that messages are waited with."""
    url = hook.config.partition("url: ")[2].split()[0]
    told = [f"--{severity}={url}{severity}" for severity in ("page", "ticket", "info")]
    render.main(["--out", str(directory), *told])
    return re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", (directory / render.ALERTMANAGER).read_text())


@pytest.fixture
def routed(tmp_path: Path, hook: Webhook) -> Iterator[RunningAlertmanager]:
    with start_alertmanager(0, tmp_path / "alertmanager", quick(tmp_path, hook)) as running:
        yield running


def alert(name: str, severity: str, **labels: str) -> Notification:
    """As the engine and Prometheus send it."""
    every = {"alertname": name, "severity": severity, "service": "rectrace", **labels}
    now = int(time.time())
    return Notification(name, every, {"summary": name}, now - 20, now + 300, "")


def heard(hook: Webhook) -> set[tuple[str, str, int]]:
    """Receiver, alert and how many of it, of each message."""
    return {
        (message["receiver"], message["groupLabels"]["alertname"], len(message["alerts"])) for message in hook.messages
    }


def test_one_message_of_what_is_wrong_at_several_placements(routed: RunningAlertmanager, hook: Webhook) -> None:
    Alertmanager(routed.url).send(
        [
            alert("SourceEmpty", "page", placement="home", stage="retrieval", component="ann"),
            alert("SourceEmpty", "page", placement="cart", stage="retrieval", component="ann"),
            alert("YieldShift", "ticket", placement="home", stage="filtering", component="policy"),
            alert("RuleViolated", "info", placement="home", rule="out-of-season"),
        ]
    )
    expected = {("page", "SourceEmpty", 2), ("ticket", "YieldShift", 1), ("info", "RuleViolated", 1)}
    eventually(lambda: heard(hook) == expected, lambda: f"{expected} in {hook.messages}", 20)


def test_what_explains_others_keeps_them_back(routed: RunningAlertmanager, hook: Webhook) -> None:
    manager = Alertmanager(routed.url)
    # the cause first: what comes with it may be routed before it is known
    manager.send([alert("RectraceClickhouseAway", "page")])
    eventually(lambda: hook.messages, lambda: "the cause is told", 20)
    manager.send(
        [
            alert("IngestLag", "page"),
            alert("RectraceSealStalled", "page"),
            alert("RectraceInsertFailures", "ticket", instance="w1:9464"),
            alert("EmptyResponses", "page", placement="home"),
        ]
    )
    expected = {("page", "RectraceClickhouseAway", 1), ("page", "EmptyResponses", 1)}
    eventually(lambda: heard(hook) >= expected, lambda: f"{expected} in {hook.messages}", 20)
    time.sleep(3)
    assert heard(hook) == expected


# --- Prometheus


def test_what_the_readme_says_to_load_it_is_right(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (block,) = [each for each in blocks if "rule_files" in each]
    assert [each["job_name"] for each in yaml.safe_load(block)["scrape_configs"]] == [JOB]
    (tmp_path / "prometheus.yml").write_text(block)
    done = run("promtool", "check", "config", "--syntax-only", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


PROMETHEUS: Final = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: rectrace
    static_configs: [{{targets: ["{worker}"]}}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{alertmanager}"]}}]
"""


@pytest.fixture
def metrics() -> Metrics:
    """Of a worker, on a port."""
    return Metrics(CollectorRegistry())


@pytest.fixture
def prometheus(tmp_path: Path, metrics: Metrics, routed: RunningAlertmanager) -> Iterator[RunningPrometheus]:
    """Scrapes the metrics each second and evaluates the rules, whose alerts fire at once."""
    worker = StatusServer(LOOPBACK, 0, metrics.registry, lambda: None, lambda: None)
    directory = tmp_path / "prometheus"
    hurried_rules(directory)
    config = PROMETHEUS.format(worker=f"{LOOPBACK}:{worker.port}", alertmanager=f"{LOOPBACK}:{routed.port}")
    with start_prometheus(0, directory, config) as running:
        yield running
    worker.close()


def recorded(running: RunningPrometheus) -> dict[str, float]:
    """Each recorded series, once."""
    found = ask(running, "query", query='{__name__=~"rectrace:.+"}')["result"]
    return {each["metric"]["__name__"]: float(each["value"][1]) for each in found}


def test_every_rule_works_on_what_a_worker_exports(prometheus: RunningPrometheus, metrics: Metrics) -> None:
    now = time.time()
    metrics.sealing.set(1)
    metrics.sealed_until.set(now)
    metrics.alerts_evaluated_until.set(now)
    metrics.lag.labels("rectrace.stages", 0).set(7)
    metrics.freshness.labels("rectrace.stages", 0).set(3)
    metrics.held_bytes.labels("open").set(128e6)
    metrics.consumed.labels("rectrace.stages").inc(1_000)
    metrics.dead_letters.labels("rectrace.stages", "invalid").inc(0)
    names = {recording.name for recording in recordings(Deployment())}
    eventually(lambda: set(recorded(prometheus)) == names, lambda: f"{names}: {recorded(prometheus)}", 30)
    values = recorded(prometheus)
    assert (values["rectrace:lag_records:sum"], values["rectrace:held_bytes:ratio"]) == (7, 0.5)
    (group,) = ask(prometheus, "rules")["groups"]
    assert {(rule["name"], rule.get("lastError", "")) for rule in group["rules"] if rule["health"] != "ok"} == set()
    assert len(group["rules"]) == len(yaml.safe_load((render.HERE / render.RULES).read_text())["groups"][0]["rules"])


def test_one_fault_makes_one_page(prometheus: RunningPrometheus, metrics: Metrics, hook: Webhook) -> None:
    """Nobody seals, and what is sealed gets old: Prometheus fires both, and a person hears of the cause."""
    metrics.sealing.set(0)
    metrics.sealed_until.set(time.time() - 1_000)
    metrics.alerts_evaluated_until.set(time.time() - 1_000)

    def firing() -> set[str]:
        return {each["labels"]["alertname"] for each in ask(prometheus, "alerts")["alerts"]}

    eventually(lambda: firing() >= {"RectraceNobodySeals", "RectraceSealStalled"}, lambda: f"both in {firing()}", 30)
    eventually(lambda: ("page", "RectraceNobodySeals", 1) in heard(hook), lambda: f"a page in {hook.messages}", 30)
    time.sleep(3)
    assert "RectraceSealStalled" not in hook.names("firing")
    (told,) = [each for each in hook.alerts("firing") if each["labels"]["alertname"] == "RectraceNobodySeals"]
    assert told["annotations"]["summary"] == "Workers that answer: 1. None of them seals."
    assert told["labels"]["severity"] == "page"
