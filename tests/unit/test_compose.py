"""docker-compose.yml and Dockerfile, as far as they can be checked without Docker."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from rectrace.cli import app
from rectrace.settings import Settings, load
from rectrace.settings_problems import variables

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = [name for name, service in SERVICES.items() if "build" in service]
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+(\.\d+)+[a-z0-9.-]*")


def filled(value: object) -> str:
    """${NAME:-default} as its default."""
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value))


def test_every_image_is_built_here_or_pinned() -> None:
    assert OURS
    for name, service in SERVICES.items():
        assert name in OURS or PINNED.fullmatch(service["image"]), name
    for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert PINNED.fullmatch(image), image


def test_ports_are_unique_and_bound_to_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    outside = [port.split(":")[1] for port in ports]
    assert len(outside) == len(set(outside))


@pytest.mark.parametrize("name", OURS)
def test_our_settings_exist_and_are_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SERVICES[name]["environment"]
    ours = {key: filled(value) for key, value in environment.items()}
    assert set(ours) <= set(variables(Settings))
    for key, value in ours.items():
        monkeypatch.setenv(key, value)
    settings = load()
    kafka = SERVICES["kafka"]["environment"]
    assert f"INSIDE://{settings.kafka}" in kafka["KAFKA_ADVERTISED_LISTENERS"]
    assert settings.clickhouse == "http://clickhouse:8123"
    server = SERVICES["clickhouse"]["environment"]
    assert settings.clickhouse_user == server["CLICKHOUSE_USER"]
    assert settings.clickhouse_password.get_secret_value() == filled(server["CLICKHOUSE_PASSWORD"])


@pytest.mark.parametrize("name", OURS)
def test_our_commands_exist(name: str) -> None:
    words = SERVICES[name]["command"]
    told = CliRunner().invoke(app, [words[0], "--help"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    assert all(word in told.stdout for word in words if word.startswith("--"))


def test_what_depends_on_something_names_a_service_that_can_be_as_it_must() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], name
            else:
                assert SERVICES[other]["command"][0] in ("topics", "migrate"), name


def test_volumes_are_declared_and_memory_is_bounded() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])
    running = [name for name in SERVICES if name not in ("topics", "migrate")]
    assert [name for name in running if "mem_limit" not in SERVICES[name]] == []


def test_what_the_image_copies_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
