"""docker-compose.yml and Dockerfile, as far as they can be checked without Docker."""

import copy
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from compose_spec import PyCompose
from typer.testing import CliRunner

from rectrace.cli import app
from rectrace.demo.__main__ import options
from rectrace.settings import PREFIX, Settings, load
from rectrace.settings_problems import variables
from schemas.recommenders import allowed, load_registry

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docker-compose.yml").read_text()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(TEXT)
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
OURS: Final = [name for name, service in SERVICES.items() if "build" in service]
COMMANDS: Final = [name for name in OURS if "entrypoint" not in SERVICES[name]]
JOBS: Final = ("topics", "migrate")
PINNED: Final = re.compile(r"[a-z0-9./-]+:v?\d+(\.\d+)+[a-z0-9.-]*")
PATCH: Final = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[\d.]*")
DEFAULTED: Final = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")


def filled(value: object) -> str:
    """${NAME:-default} as its default."""
    return DEFAULTED.sub(r"\2", str(value))


def bound(service: dict[str, Any]) -> list[tuple[str, str]]:
    """What of this machine is mounted where."""
    pairs = [tuple(volume.split(":")[:2]) for volume in service.get("volumes", [])]
    return [(here, there) for here, there in pairs if here.startswith(".")]


def parse(content: dict[str, Any]) -> None:
    """By the specification, without YAML's merge keys; raises ValueError with what is wrong."""
    PyCompose.from_yaml(yaml.safe_dump(content))


def test_it_is_what_the_specification_of_compose_allows() -> None:
    parse(COMPOSE)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda services: services["kafka"].update(helthcheck={}), "kafka: extension key `helthcheck`"),
        (lambda services: services["kafka"]["healthcheck"].update(interval="5 parsecs"), "not a valid duration"),
        (lambda services: services["worker"]["deploy"].update(replicas="two"), "invalid type"),
        (lambda services: services["grafana"].update(mem_limit="much"), "grafana"),
        (lambda services: services["topics"]["depends_on"]["kafka"].update(condition="service_happy"), "service_happy"),
    ],
)
def test_the_specification_is_one_that_refuses(break_it: Callable[[Any], object], told: str) -> None:
    broken = copy.deepcopy(COMPOSE)
    break_it(broken["services"])
    with pytest.raises(ValueError, match=told):
        parse(broken)


def test_every_image_is_built_here_or_pinned_to_a_patch() -> None:
    assert OURS
    for name, service in SERVICES.items():
        assert name in OURS or PATCH.fullmatch(service["image"]), name
    for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert PINNED.fullmatch(image), image
    for plugin in SERVICES["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"].split(","):
        assert re.fullmatch(r"[a-z-]+@\d+\.\d+\.\d+", plugin)


def test_ports_are_unique_and_bound_to_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    outside = [port.split(":")[1] for port in ports]
    assert len(outside) == len(set(outside))


@pytest.mark.parametrize("name", COMMANDS)
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
    known = {server["CLICKHOUSE_USER"]: server["CLICKHOUSE_PASSWORD"], "console": server["CLICKHOUSE_CONSOLE_PASSWORD"]}
    assert settings.clickhouse_user == ("console" if name == "console" else server["CLICKHOUSE_USER"])
    assert settings.clickhouse_password.get_secret_value() == filled(known[settings.clickhouse_user])


def test_what_people_set_for_compose_does_not_stop_the_commands_on_this_machine() -> None:
    """A variable of our prefix that is no setting is refused."""
    asked = {name for name, _ in DEFAULTED.findall(TEXT)}
    ours = {"RECTRACE_CLICKHOUSE_PASSWORD", "RECTRACE_CONSOLE__TOKEN", "RECTRACE_CONSOLE__EDITOR_TOKEN"}
    assert asked == {
        *ours, "CLICKHOUSE_CONSOLE_PASSWORD", "CLICKHOUSE_GRAFANA_PASSWORD", "GRAFANA_ADMIN_PASSWORD",
    }  # fmt: skip
    assert {name for name in asked if name.startswith(PREFIX)} <= set(variables(Settings))


def test_passwords_are_defaults_that_can_be_set_and_the_same_on_both_sides() -> None:
    given = [
        (key, value)
        for service in SERVICES.values()
        for key, value in service.get("environment", {}).items()
        if "PASSWORD" in key or "TOKEN" in key
    ]
    assert len(given) >= 6
    assert all(DEFAULTED.fullmatch(value) for _, value in given)
    assert len({value for key, value in given if key == "CLICKHOUSE_GRAFANA_PASSWORD"}) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_our_commands_exist(name: str) -> None:
    words = SERVICES[name]["command"]
    told = CliRunner().invoke(app, [words[0], "--help"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    assert all(word in told.stdout for word in words if word.startswith("--"))


def test_the_recommender_takes_its_options_and_publishes_to_that_kafka() -> None:
    demo = SERVICES["demo"]
    given = options().parse_args(demo["command"])
    assert f"INSIDE://{given.kafka}," in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert given.rules
    assert given.status in shlex.split(demo["healthcheck"]["test"][1])
    assert demo["profiles"] == ["demo"]
    assert re.search(r"^ARG EXTRAS", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.count("$EXTRAS") == 2
    for name in ("demo", "console"):
        extra = SERVICES[name]["build"]["args"]["EXTRAS"].removeprefix("--extra ")
        assert re.search(rf"^{extra} = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


def test_the_playground_may_ask_the_demo_and_knows_what_for() -> None:
    settings = SERVICES["console"]["environment"]
    files = {there: here for here, there in bound(SERVICES["console"])}
    known = load_registry((ROOT / files[settings["RECTRACE_PLAYGROUND__REGISTRY"]]).read_text(), "registry")
    assert len(known.recommenders) >= 5
    for each in known.recommenders:
        assert allowed(each.url, [settings["RECTRACE_PLAYGROUND__ALLOWED"]])
        assert allowed(str(each.health), [settings["RECTRACE_PLAYGROUND__ALLOWED"]])
    _, port = options().parse_args(SERVICES["demo"]["command"]).serve
    assert settings["RECTRACE_PLAYGROUND__ALLOWED"] == f"http://demo:{port}"


def test_what_depends_on_something_names_a_service_that_can_be_as_it_must() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert "profiles" not in SERVICES[other], name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], name
            else:
                assert other in JOBS, name


def test_every_service_is_a_job_or_has_a_health_check_and_comes_back() -> None:
    for name, service in SERVICES.items():
        if name in JOBS:
            assert "restart" not in service, name
            continue
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"]), name
        assert service["restart"] == "unless-stopped", name


def test_a_health_check_asks_its_own_service() -> None:
    for name, port in (("grafana", 3000), ("prometheus", 9090), ("alertmanager", 9093), ("clickhouse", 8123)):
        asked = re.findall(r"127\.0\.0\.1:(\d+)/", " ".join(SERVICES[name]["healthcheck"]["test"]))
        assert asked == [str(port)]
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    console = SERVICES["console"]["environment"]
    assert f":{console['RECTRACE_CONSOLE__PORT']}/ready" in " ".join(SERVICES["console"]["healthcheck"]["test"])
    worker = " ".join(SERVICES["worker"]["healthcheck"]["test"])
    assert f":{Settings.model_fields['metrics'].default.port}/ready" in worker
    compile(SERVICES["worker"]["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_volumes_are_declared_and_memory_is_bounded() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {name for name in mounted if not name.startswith(".")} == set(COMPOSE["volumes"])
    assert [name for name in SERVICES if "mem_limit" not in SERVICES[name]] == []


def test_what_is_mounted_is_there_and_cannot_be_written_to() -> None:
    found = [volume for service in SERVICES.values() for volume in service.get("volumes", []) if volume[0] == "."]
    assert found
    for volume in found:
        here, _, mode = volume.split(":")
        assert ((ROOT / here).exists(), mode) == (True, "ro"), volume


def test_what_a_command_or_a_configuration_reads_is_mounted_there() -> None:
    for name in ("prometheus", "alertmanager"):
        (file,) = [word.split("=")[1] for word in SERVICES[name]["command"] if word.startswith("--config.file")]
        assert any(file == there or file.startswith(f"{there}/") for _, there in bound(SERVICES[name]))
    mounts = {there: here for here, there in bound(SERVICES["prometheus"])}
    assert (ROOT / mounts["/etc/prometheus/rectrace"] / "prometheus.yml").is_file()
    grafana = {there: here for here, there in bound(SERVICES["grafana"])}
    (provider,) = yaml.safe_load((ROOT / "dashboards/provisioning/dashboards/rectrace.yml").read_text())["providers"]
    assert list((ROOT / grafana[provider["options"]["path"]]).glob("*.json"))


def test_kafka_keeps_its_data_in_the_volume() -> None:
    (volume,) = SERVICES["kafka"]["volumes"]
    assert volume == f"kafka:{SERVICES['kafka']['environment']['KAFKA_LOG_DIRS']}"


def test_grafana_and_clickhouse_get_what_their_files_take_from_the_environment() -> None:
    provisioning = ROOT / "dashboards/provisioning"
    of_grafana = re.findall(r"\$\{?([A-Z_]+)", (provisioning / "datasources/rectrace.yml").read_text())
    assert of_grafana
    assert set(of_grafana) <= set(SERVICES["grafana"]["environment"])
    users = [file.read_text() for file in (provisioning / "clickhouse").glob("*.xml")]
    of_clickhouse = re.findall(r'from_env="([A-Z_]+)"', "".join(users))
    assert len(of_clickhouse) == len(users)
    mounted = {Path(here).name for here, _ in bound(SERVICES["clickhouse"])}
    assert mounted == {file.name for file in (provisioning / "clickhouse").glob("*.xml")}
    assert set(of_clickhouse) <= set(SERVICES["clickhouse"]["environment"])
    for name in ("CLICKHOUSE_HOST", "PROMETHEUS_URL", "ALERTMANAGER_URL"):
        host = re.sub(r"^\w+://|:\d+$", "", SERVICES["grafana"]["environment"][name])
        assert host in SERVICES


def test_what_prometheus_scrapes_and_tells_are_services() -> None:
    config = yaml.safe_load((ROOT / "dashboards/prometheus/prometheus.yml").read_text())
    (scraped,) = config["scrape_configs"]
    (told,) = config["alerting"]["alertmanagers"]
    names = [name for each in scraped["dns_sd_configs"] for name in each["names"]]
    names += [target.split(":")[0] for each in told["static_configs"] for target in each["targets"]]
    assert names == ["worker", "alertmanager"]
    assert set(names) <= set(SERVICES)
    assert SERVICES["worker"]["environment"]["RECTRACE_METRICS__HOST"] == "0.0.0.0"


def test_what_the_image_copies_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
