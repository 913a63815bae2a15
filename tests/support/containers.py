"""Kafka and ClickHouse as docker-compose.yml has them, each in a container of its own on a free port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from testcontainers.core.container import DockerContainer

from rectrace.local.ports import LOOPBACK, free_port
from rectrace.local.probes import http_answers, kafka_answers
from tests.support.service import eventually

ROOT: Final = Path(__file__).parents[2]
SERVICES: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
STARTS_WITHIN: Final = 120.0  # seconds, once the image is here
PASSWORD: Final = "for-a-test"  # of a server that nobody else reaches


@contextmanager
def kafka() -> Iterator[str]:
    """host:port of a broker."""
    service, port = SERVICES["kafka"], free_port()
    outside = int(service["ports"][0].rpartition(":")[2])
    container = (
        DockerContainer(service["image"], hostname="kafka")
        .with_envs(**kafka_environment(outside, port))
        .with_bind_ports(outside, port)
    )
    with container:
        eventually(lambda: kafka_answers(port), lambda: f"Kafka answers: {_log(container)}", STARTS_WITHIN)
        yield f"{LOOPBACK}:{port}"


@contextmanager
def clickhouse() -> Iterator[str]:
    """host:port of a server with the users `rectrace`, who may do everything, and `grafana`; both have PASSWORD."""
    service, port = SERVICES["clickhouse"], free_port()
    container = DockerContainer(service["image"]).with_envs(**clickhouse_environment()).with_bind_ports(8123, port)
    for volume in service["volumes"]:
        here, there, *mode = volume.split(":")
        if here.startswith("."):
            container.with_volume_mapping(ROOT / here, there, *mode)
    with container:
        ping = f"http://{LOOPBACK}:{port}/ping"
        eventually(lambda: http_answers(ping), lambda: f"ClickHouse answers: {_log(container)}", STARTS_WITHIN)
        yield f"{LOOPBACK}:{port}"


def kafka_environment(outside: int, port: int) -> dict[str, str]:
    """That of compose, with `port` of this machine in place of its own one."""
    environment: dict[str, str] = SERVICES["kafka"]["environment"]
    advertised = environment["KAFKA_ADVERTISED_LISTENERS"].replace(f":{outside}", f":{port}")
    return {**environment, "KAFKA_ADVERTISED_LISTENERS": advertised}


def clickhouse_environment() -> dict[str, str]:
    """That of compose, with passwords of its own."""
    environment: dict[str, str] = SERVICES["clickhouse"]["environment"]
    return {name: PASSWORD if "PASSWORD" in name else value for name, value in environment.items()}


def _log(container: DockerContainer) -> str:
    """The end of what it printed."""
    out, errors = container.get_logs()
    return (out + errors).decode(errors="replace")[-3_000:]
