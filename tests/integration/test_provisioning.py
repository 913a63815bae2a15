"""What Grafana, ClickHouse and Prometheus load: that it fits the dashboards, the rules and each other."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
import pytest
import yaml

from dashboards.grafana import COMMITTED
from dashboards.grafana.parts import PLUGIN
from dashboards.prometheus import render
from dashboards.prometheus.recordings import JOB
from rectrace.commands.dashboards import push
from rectrace.settings import Settings
from tests.support.promtool import run

ROOT: Final = Path(__file__).parents[2]
PROVISIONING: Final = ROOT / "dashboards/provisioning"
SOURCES: Final = {
    each["uid"]: each for each in yaml.safe_load((PROVISIONING / "datasources/rectrace.yml").read_text())["datasources"]
}
USER: Final = ET.parse(PROVISIONING / "clickhouse/grafana.xml").getroot()
PROMETHEUS: Final = render.HERE / "prometheus.yml"


def begins_with() -> dict[str, str]:
    """Of the dashboards: the data source that each variable of them begins with, and its type."""
    documents = [json.loads(file.read_text()) for file in COMMITTED.glob("*.json")]
    variables = [each for document in documents for each in document["templating"]["list"]]
    return {each["current"]["value"]: each["query"] for each in variables if each["type"] == "datasource"}


def test_the_dashboards_begin_with_data_sources_that_are_there() -> None:
    wanted = begins_with()
    assert wanted["rectrace-clickhouse"] == PLUGIN
    assert wanted.items() <= {uid: each["type"] for uid, each in SOURCES.items()}.items()
    assert all(each["name"] == uid for uid, each in SOURCES.items())


def test_the_database_is_the_one_of_the_settings() -> None:
    clickhouse, database = SOURCES["rectrace-clickhouse"]["jsonData"], Settings.model_fields["database"].default
    assert (clickhouse["defaultDatabase"], text("users/grafana/default_database")) == (database, database)
    assert text("users/grafana/grants/query") == f"GRANT SELECT ON {database}.*"
    console = ET.parse(PROVISIONING / "clickhouse/console.xml").getroot()
    assert [each.text for each in console.findall("users/console/*/query")] == [f"GRANT SELECT ON {database}.*"]


def test_prometheus_and_its_alertmanager_are_told_of_each_other() -> None:
    assert SOURCES["rectrace-prometheus"]["jsonData"]["alertmanagerUid"] in SOURCES
    scraped = yaml.safe_load(PROMETHEUS.read_text())
    assert SOURCES["rectrace-prometheus"]["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]


def test_passwords_are_only_in_the_environment() -> None:
    for file in PROVISIONING.rglob("*.*"):
        for line in file.read_text().splitlines():
            if "password" in line.lower() and not line.lstrip().startswith("#"):
                assert re.search(r"password: \$[A-Z_]+$|<password from_env=\"[A-Z_]+\"/>", line), line


def test_pushed_or_loaded_they_are_in_one_folder() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/rectrace.yml").read_text())["providers"]
    assert push.__defaults__ is not None
    assert provider["folderUid"] in push.__defaults__
    assert provider["allowUiUpdates"] is False


def test_prometheus_scrapes_the_job_of_the_rules_and_loads_them() -> None:
    config = yaml.safe_load(PROMETHEUS.read_text())
    (scraped,) = config["scrape_configs"]
    assert scraped["job_name"] == JOB
    assert config["rule_files"] == [render.RULES]
    assert config["global"]["evaluation_interval"] == render.INTERVAL
    assert scraped["dns_sd_configs"][0]["port"] == Settings.model_fields["metrics"].default.port


@pytest.mark.needs("prometheus")
def test_promtool_takes_the_configuration_and_its_rules() -> None:
    done = run("promtool", "check", "config", str(PROMETHEUS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout + done.stderr


def text(path: str) -> str:
    found = USER.findtext(path)
    assert found is not None, path
    return found


def profile() -> dict[str, Any]:
    (found,) = USER.findall("profiles/grafana")
    return {each.tag: each.text for each in found if each.tag != "constraints"}


def test_what_the_user_refers_to_is_in_the_file() -> None:
    assert USER.find(f"profiles/{text('users/grafana/profile')}") is not None
    assert USER.find(f"quotas/{text('users/grafana/quota')}/interval") is not None
    assert text("profiles/grafana/readonly") == "1"
    assert SOURCES["rectrace-clickhouse"]["jsonData"]["username"] == USER.findall("users/*")[0].tag


def test_every_setting_of_the_profile_exists_and_has_a_value_that_it_takes(clickhouse: str) -> None:
    settings = {name: value for name, value in profile().items() if name != "readonly"}
    assert {"max_execution_time", "max_memory_usage", "max_result_rows"} <= set(settings)
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        for name, value in settings.items():
            (row,) = client.query(
                "SELECT value FROM system.settings WHERE name = {name:String}", {"name": name}, settings={name: value}
            ).result_rows
            assert row[0] == value


def test_the_data_source_asks_for_a_time_that_it_may_have() -> None:
    """Its driver adds 5 s to its own limit, so that ClickHouse does not end first."""
    most = int(text("profiles/grafana/constraints/max_execution_time/max"))
    assert int(SOURCES["rectrace-clickhouse"]["jsonData"]["queryTimeout"]) + 5 <= most
    assert int(text("profiles/grafana/max_execution_time")) <= most
    assert int(text("profiles/grafana/constraints/max_execution_time/min")) > 0  # 0 would be without a limit
    assert USER.find("profiles/grafana/constraints/max_execution_time/changeable_in_readonly") is not None
