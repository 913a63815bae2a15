"""Every PromQL query of the dashboards, on a real Prometheus that scrapes a real worker, and one that is ill."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry

from dashboards.grafana import COMMITTED, check, parts
from dashboards.grafana.expand import Shown, Value
from dashboards.grafana.promql import expand
from dashboards.prometheus import series
from dashboards.prometheus.model import Deployment
from dashboards.prometheus.recordings import OF_JOB, recordings
from rectrace.local.ports import LOOPBACK
from rectrace.local.prometheus import RunningPrometheus, start_prometheus
from streams.metrics import Metrics
from streams.status import StatusServer
from tests.support.alert_receiver import Receiver
from tests.support.alert_traffic import HEALTHY, requests
from tests.support.events import raw
from tests.support.prometheus import ask, hurried_rules
from tests.support.service import Service

pytestmark = pytest.mark.needs("prometheus")

PIPELINE: Final = json.loads((COMMITTED / f"{parts.PIPELINE}.json").read_text())
MEASURED: Final = {f"{each.where} ({each.name})": each for each in check.measured(PIPELINE)}
NOWHERE: Final = f"http://{LOOPBACK}:1"  # an Alertmanager that does not answer
PATIENCE_S: Final = 90
CONFIG: Final = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: rectrace
    static_configs: [{{targets: ["{well}", "{ill}"]}}]
"""


class Ill:
    """A worker's metrics that say what a test cannot do to a real one."""

    def __init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry())
        self._server = StatusServer(LOOPBACK, 0, self.metrics.registry, lambda: None, lambda: None)
        self.address = f"{LOOPBACK}:{self._server.port}"
        self.metrics.held_bytes.labels("open").set(240e6)  # of 256
        self.metrics.held_bytes.labels("unwritten").set(0)
        self.metrics.lag.labels("elsewhere", 7).set(70)
        self.metrics.freshness.labels("elsewhere", 7).set(1_000)
        self.metrics.dirty_windows.set(99)  # from when it was the one that seals

    def go_on(self) -> None:
        self.metrics.restarts.labels("elsewhere").inc()
        self.metrics.notify_failures.labels(NOWHERE).inc()

    def close(self) -> None:
        self._server.close()


@dataclass
class Watched:
    """What is asked is shown from `since` on, in seconds."""

    prometheus: RunningPrometheus
    service: Service
    ill: Ill
    since: int

    def ask(self, measured: check.Measured, **chosen: Value) -> list[Any]:
        """The series, each with its labels as `metric`; of a variable the values."""
        now = int(time.time())
        shown = Shown(self.since, now, 1, {**check.defaults(PIPELINE), **chosen})
        query, span = expand(measured.promql, shown, scrape=1), {"start": self.since, "end": now}
        if measured.kind == "variable":
            (label,) = measured.labels
            return list(ask(self.prometheus, f"label/{label}/values", **span, **{"match[]": query}))
        if measured.kind in {"stat", "table"}:
            return list(ask(self.prometheus, "query", query=query, time=now)["result"])
        return list(ask(self.prometheus, "query_range", query=query, step=1, **span)["result"])

    def panel(self, name: str, **chosen: Value) -> list[Any]:
        (found,) = [each for each in MEASURED.values() if each.name == name and each.kind != "stat"]
        return self.ask(found, **chosen)

    def last(self, name: str, *labels: str, **chosen: Value) -> dict[tuple[str, ...], float]:
        """The newest value of each line, by labels."""
        found = self.panel(name, **chosen)
        return {tuple(each["metric"][label] for label in labels): float(each["values"][-1][1]) for each in found}


def publish(service: Service) -> None:
    """Healthy requests, one without its end, one event twice, one late, an odd and a broken one."""
    window = int(time.time())
    for number, part in enumerate(requests(window, 4, HEALTHY)):
        for event in part.events:
            service.publish(service.stages, event.raw, key=part.request_id.encode(), partition=number % 2)
    for number in range(6):
        begun = raw(f"begun-{window}-{number}", "request", ts=window * 1000)
        service.publish(service.stages, begun)
    service.publish(service.stages, begun)
    late = raw(f"home-{window}-0", "retrieval", "more", ts=window * 1000, items=["g9"], colour="red")
    service.publish(service.stages, late)
    service.publish(service.stages, b"{")


@pytest.fixture(scope="module")
def watched(broker: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Once every query has had something to show, or after a while."""
    directory, receiver, ill, since = tmp_path_factory.mktemp("watched"), Receiver(), Ill(), int(time.time())
    settings = {"RECTRACE_JOIN__MAX_OPEN": "5", "RECTRACE_ALERTS__ALERTMANAGER": f"{receiver.url},{NOWHERE}"}
    with Service(broker, clickhouse, directory, settings=settings) as service:
        service.start_ready()
        hurried_rules(directory)
        with start_prometheus(0, directory, CONFIG.format(well=service.address, ill=ill.address)) as prometheus:
            made, silent = Watched(prometheus, service, ill, since), list(MEASURED.values())
            while silent and time.time() < since + PATIENCE_S:
                publish(service)
                ill.go_on()
                time.sleep(1)
                silent = [each for each in silent if not made.ask(each)]
            yield made
    ill.close()
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.mark.parametrize("name", MEASURED)
def test_a_query_gives_series_of_the_labels_that_its_panel_names(watched: Watched, name: str) -> None:
    measured = MEASURED[name]
    found = watched.ask(measured)
    assert found
    if measured.kind == "variable":
        return
    labels = {frozenset(each["metric"]) - {"__name__"} for each in found}
    match measured.kind:
        case "timeseries":
            assert labels == {frozenset(measured.labels)}
        case "stat":
            assert (len(found), labels) == (1, {frozenset()})
        case "annotation":
            assert all(each >= measured.labels for each in labels)
        case "table":
            (panel,) = [each for each in PIPELINE["panels"] if measured.where.endswith(each["title"])]
            (shaped,) = panel["transformations"]
            assert frozenset().union(*labels) == set(shaped["options"]["indexByName"]) - {"Value"}
        case kind:
            pytest.fail(f"nothing is known of {kind}")


def test_every_series_has_the_labels_that_checks_know(watched: Watched) -> None:
    """Of whatever a worker exports: what `rectrace dashboards check` and the rules go by."""
    exported = series.known()
    found = ask(watched.prometheus, "series", start=watched.since, **{"match[]": f"{{{OF_JOB}}}"})
    names = {each["__name__"] for each in found}
    assert len(names & set(exported)) > 60
    for each in found:
        name, labels = each["__name__"], set(each) - {"__name__"}
        if name in exported:
            assert labels <= exported[name] <= labels | {"segment"}  # an empty one, of all requests, is none
        else:
            assert name.startswith(("scrape_", "process_")) or name.endswith("_created")
    for recording in recordings(Deployment()):
        (one, *_) = ask(watched.prometheus, "series", start=watched.since, **{"match[]": recording.name})
        assert set(one) - {"__name__"} == exported[recording.name]


def test_variables_list_what_there_is(watched: Watched) -> None:
    service = watched.service
    assert set(watched.panel("instances")) == {service.address, watched.ill.address}
    assert set(watched.panel("topics")) >= {service.stages, "elsewhere"}
    assert set(watched.panel("partitions", topic=[service.stages])) == {"0", "1"}
    assert set(watched.panel("states")) == {"open", "unwritten"}
    assert len(watched.panel("targets")) == 2
    assert NOWHERE in watched.panel("targets")


def test_what_is_chosen_is_shown(watched: Watched) -> None:
    ill, stages = watched.ill.address, watched.service.stages
    chosen = watched.last("held", "instance", "state", instance=[ill])
    assert chosen == {(ill, "open"): 240 / 256, (ill, "unwritten"): 0}
    assert watched.last("held", "state", instance=[ill], state="open") == {("open",): 240 / 256}
    assert watched.last("partition_lag", "topic", "partition", topic=["elsewhere"]) == {("elsewhere", "7"): 70}
    assert set(watched.last("partition_lag", "topic", "partition", topic=stages, partition="1")) == {(stages, "1")}
    assert set(watched.last("notify_failures", "target", target=[NOWHERE])) == {(NOWHERE,)}


def test_it_shows_what_the_worker_did(watched: Watched) -> None:
    service = watched.service
    assert set(watched.last("closed", "reason")) >= {("complete",), ("evicted",)}
    reasons = service.rows("SELECT DISTINCT reason FROM $database.dead_letters")
    assert set(watched.last("dead_letters", "reason")) == set(reasons)
    assert ("more", "unknown_field") in watched.last("findings", "component", "kind")
    assert {("parts",), ("progress",)} <= set(watched.last("insert_failures_of", "what"))  # from the start, without one
    assert set(watched.last("insert_failures_of", "what").values()) == {0}
    assert watched.last("dirty")[()] < 99  # of the worker that seals
    (started,) = watched.panel("annotation_starts")
    assert watched.since <= float(started["values"][-1][1]) / 1000 <= time.time()


def test_alerts_about_rectrace_are_listed_with_what_they_are_about(watched: Watched) -> None:
    rows = {each["metric"]["alertname"]: each for each in watched.panel("alerts")}
    full, stale, untold = (
        rows[name] for name in ("RectraceMemoryHigh", "RectracePartitionStale", "RectraceNotificationsFailing")
    )
    about = {"alertstate": "firing", "severity": "ticket"}
    ill = {"alertname": "RectraceMemoryHigh", "instance": watched.ill.address, "state": "open"}
    assert full["metric"] == {**about, **ill}
    assert watched.since <= float(full["value"][1]) / 1000 <= time.time()
    assert stale["metric"] == {**about, "alertname": "RectracePartitionStale", "topic": "elsewhere", "partition": "7"}
    assert (untold["metric"]["severity"], untold["metric"]["target"]) == ("page", NOWHERE)
