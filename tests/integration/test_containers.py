"""One worker from events to a sealed item, on the servers of docker-compose.yml where Docker is, and on local ones."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest

from sinks.clickhouse.migrate import Layout, migrate
from tests.support import containers, grafana_user
from tests.support.events import raw
from tests.support.service import Service, eventually

REQUESTS = 40


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    """host:port of a ClickHouse that compose would start."""
    with containers.clickhouse() as address:
        yield address


def end_to_end(kafka: str, clickhouse: str, directory: Path) -> None:
    """Events of requests that serve g1 and drop g2; every one is joined, landed, sealed and found."""
    with Service(kafka, clickhouse, directory) as service:
        service.start_ready()
        for number in range(REQUESTS):
            now, name = time.time_ns() // 1_000_000, f"r-{number}"
            for data in (
                raw(name, "request", ts=now, k=1, expects=["ann", "stock", "api"]),
                raw(name, "retrieval", "ann", ts=now, items=["g1", "g2"], scores=[0.9, 0.8]),
                raw(name, "filtering", "stock", ts=now, items=["g1"], dropped={"out_of_stock": ["g2"]}),
                raw(name, "response", ts=now, items=["g1"]),
            ):
                service.publish(service.stages, data, key=name.encode(), partition=number % 2)
        eventually(
            lambda: service.rows("SELECT count() FROM $database.traces") == [(REQUESTS,)],
            lambda: f"{REQUESTS} sealed traces{service.worker.tail() if service.worker else ''}",
            120,
        )
        told = json.loads(service.ask("why", "r-7", "--json"))
        assert (told["n_served"], told["closed"]) == (1, ["complete"])
        item = json.loads(service.ask("item", "g2", "--since", "10m", "--json"))
        assert (item["candidacies"], item["requests"]) == (REQUESTS, REQUESTS)
        assert {each["reason"]: each["now"] for each in item["endings"]} == {"out_of_stock": REQUESTS}
        assert service.metric("rectrace_dead_letters_total") == 0
        assert service.stop() == 0


def test_a_worker_on_the_local_stack(broker: str, clickhouse: str, tmp_path: Path) -> None:
    end_to_end(broker, clickhouse, tmp_path)


@pytest.mark.needs("docker")
def test_a_worker_on_the_servers_of_compose(container: str, tmp_path: Path) -> None:
    with containers.kafka() as kafka:
        end_to_end(kafka, f"http://rectrace:{containers.PASSWORD}@{container}", tmp_path)


@pytest.mark.needs("docker")
def test_grafana_reads_and_does_nothing_else(container: str) -> None:
    with clickhouse_connect.get_client(dsn=f"http://rectrace:{containers.PASSWORD}@{container}") as client:
        migrate(client, Layout(grafana_user.DATABASE))
    grafana_user.check_reader(f"http://grafana:{containers.PASSWORD}@{container}")


@pytest.mark.needs("grafana-user")
def test_grafana_reads_and_does_nothing_else_on_the_server_that_is_named() -> None:
    grafana_user.check_reader(os.environ["RECTRACE_TEST_GRAFANA_USER"])


def test_who_may_do_more_is_found(clickhouse: str, database: str) -> None:
    """The check itself: on a user with all grants it fails at the first thing that is forbidden."""
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        migrate(client, Layout(database))
    with pytest.raises(AssertionError, match="it may: INSERT"):
        grafana_user.check_reader(clickhouse, database)
