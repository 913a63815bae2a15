"""The status port: metrics, liveness, readiness."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from streams.metrics import LIVE, Metrics
from streams.status import PortInUse, StatusServer


@pytest.fixture
def problems() -> dict[str, str]:
    return {}


@pytest.fixture
def server(problems: dict[str, str]) -> Iterator[StatusServer]:
    metrics = Metrics(CollectorRegistry())
    metrics.consumed.labels("t").inc(3)
    running = StatusServer(
        "127.0.0.1", 0, metrics.registry, lambda: problems.get("live"), lambda: problems.get("ready")
    )
    yield running
    running.close()


def get(server: StatusServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{server.host}:{server.port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_served(server: StatusServer) -> None:
    status, body = get(server, "/metrics")
    assert status == 200
    assert 'rectrace_records_consumed_total{topic="t"} 3.0' in body


def test_well_is_200(server: StatusServer) -> None:
    assert get(server, "/live") == (200, "ok\n")
    assert get(server, "/ready?probe=1") == (200, "ok\n")


def test_unwell_is_503_with_the_reason(server: StatusServer, problems: dict[str, str]) -> None:
    problems["ready"] = "cannot write for 30 s"
    assert get(server, "/ready") == (503, "cannot write for 30 s\n")
    assert get(server, "/live") == (200, "ok\n")


def test_other_addresses_say_what_there_is(server: StatusServer) -> None:
    status, body = get(server, "/")
    assert status == 404
    assert "/metrics" in body


def test_a_port_in_use_is_named(server: StatusServer) -> None:
    with pytest.raises(PortInUse, match=f"127.0.0.1:{server.port} is in use"):
        StatusServer("127.0.0.1", server.port, CollectorRegistry(), lambda: None, lambda: None)


def test_every_metric_is_ours_documented_and_without_unbounded_labels() -> None:
    families = list(Metrics(CollectorRegistry()).registry.collect())
    assert len(families) > 25
    for family in families:
        assert family.name.startswith("rectrace_")
        assert family.documentation.endswith(".")
    forbidden = {"request_id", "item", "user", "user_id"}
    assert not forbidden & {label for definition in LIVE for label in definition.labels}
    assert len({definition.name for definition in LIVE}) == len(LIVE)
