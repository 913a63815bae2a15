"""Real services for every test: a broker, ClickHouse, and the marker for those that not every machine has."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import clickhouse_connect
import pytest

from rectrace.local.alertmanager import RunningAlertmanager, start_alertmanager
from rectrace.local.alertmanager import missing as no_alertmanager
from rectrace.local.broker import start_broker
from rectrace.local.clickhouse import start_clickhouse
from rectrace.local.kafka_jvm import ApacheKafka
from rectrace.local.kafka_jvm import missing as no_kafka
from rectrace.local.prometheus import missing as no_prometheus
from tests.support.chromium import missing as no_chromium
from tests.support.webhook import Webhook

CLICKHOUSE_VARIABLE = "RECTRACE_TEST_CLICKHOUSE"
GRAFANA_USER_VARIABLE = "RECTRACE_TEST_GRAFANA_USER"
REQUIRE_VARIABLE = "RECTRACE_REQUIRE"


def no_clickhouse() -> str | None:
    if os.environ.get(CLICKHOUSE_VARIABLE):
        return None
    return f"needs a real ClickHouse server: set {CLICKHOUSE_VARIABLE}=http://host:8123 to the URL of one"


def no_grafana_user() -> str | None:
    if os.environ.get(GRAFANA_USER_VARIABLE):
        return None
    return (
        "needs a ClickHouse server with dashboards/provisioning/clickhouse/grafana.xml in its users.d and rectrace's "
        f"tables: docker compose up, and set {GRAFANA_USER_VARIABLE}=http://grafana:only-on-this-machine@127.0.0.1:8123"
    )


def no_docker() -> str | None:
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return None
    return "needs a running Docker engine: install Docker and start it"


# What `@pytest.mark.needs(name)` may name, and for each the reason why it is not here, which says how to get it.
NEEDS: dict[str, Callable[[], str | None]] = {
    "alertmanager": no_alertmanager,
    "chromium": no_chromium,
    "clickhouse": no_clickhouse,
    "docker": no_docker,
    "grafana-user": no_grafana_user,
    "kafka": no_kafka,
    "prometheus": no_prometheus,
}


def required() -> set[str]:
    return {name.strip() for name in os.environ.get(REQUIRE_VARIABLE, "").split(",")} - {""}


def pytest_configure(config: pytest.Config) -> None:
    if unknown := required() - set(NEEDS):
        known = ", ".join(sorted(NEEDS))
        raise pytest.UsageError(f"{REQUIRE_VARIABLE} names {', '.join(sorted(unknown))}; known are {known}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes many minutes runs when it is asked for: -m long."""
    if "long" in str(config.getoption("markexpr")):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if name not in NEEDS:
                pytest.fail(f"needs({name!r}): known are {', '.join(sorted(NEEDS))}", pytrace=False)
            if not (reason := NEEDS[name]()):
                continue
            if name in required():
                pytest.fail(f"{REQUIRE_VARIABLE} names {name}, but the test {reason}", pytrace=False)
            pytest.skip(reason)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a Kafka-compatible broker in memory (tansu)."""
    with start_broker(0, tmp_path_factory.mktemp("broker")) as running:
        yield running.address


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """A running Apache Kafka that all tests share: mark them `needs("kafka")`, and leave it running."""
    with ApacheKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of ClickHouse: the server that RECTRACE_TEST_CLICKHOUSE names, else chDB's engine on a new directory."""
    if url := os.environ.get(CLICKHOUSE_VARIABLE):
        yield url
        return
    directory: Path = tmp_path_factory.mktemp("clickhouse")
    with start_clickhouse(0, directory / "data", directory) as running:
        yield running.url


@pytest.fixture
def database(clickhouse: str) -> Iterator[str]:
    """The name of a database of this test's own, not created yet, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        client.command(f"DROP DATABASE IF EXISTS {name} SYNC")


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """What `alertmanager` tells of alerts."""
    with Webhook() as listening:
        yield listening


@pytest.fixture
def alertmanager(tmp_path: Path, hook: Webhook) -> Iterator[RunningAlertmanager]:
    """A running Alertmanager: mark tests that use it `needs("alertmanager")`."""
    with start_alertmanager(0, tmp_path / "alertmanager", hook.config) as running:
        yield running
