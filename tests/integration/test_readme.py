"""The README's examples are true: its events keep the contract, its Python runs, its commands and settings exist."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from typer.testing import CliRunner

from rectrace.cli import app
from rectrace.client import Publisher
from rectrace.demo.__main__ import options as recommender
from rectrace.producing import send
from rectrace.rule_publishing import publishing
from rectrace.settings import Settings
from rectrace.settings_problems import variables
from schemas.audit import audit
from schemas.catalog import decode_catalog
from schemas.envelope import decode
from schemas.exact import exact
from schemas.interactions import decode_interaction
from schemas.pipeline import STAGES
from schemas.rule_files import load_rules
from streams.cluster import Cluster
from streams.rules.reading import check

README = (Path(__file__).parents[2] / "README.md").read_text()
GROUPS = {"alerts", "dashboards", "dlq", "rules"}
NOT_SETTINGS = {"RECTRACE_CONFIG", "RECTRACE_REQUIRE", "RECTRACE_TEST_CLICKHOUSE", "RECTRACE_TEST_GRAFANA_USER"}


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for named, text in found if named == language]


LINES = [line for block in blocks("json") for line in block.splitlines()]
COMMANDS = sorted({
    line.split("#")[0].strip().removeprefix("uv run ")
    for block in blocks("")
    for line in block.splitlines()
    if re.match(r"(uv run )?rectrace ", line)
})  # fmt: skip


def test_the_rules_are_rules() -> None:
    read = [rule for block in blocks("yaml") if "when:" in block for rule in load_rules(block, "README.md")]
    assert read
    assert check(read) == []


@pytest.mark.parametrize("line", LINES)
def test_a_json_line_keeps_the_contract(line: str) -> None:
    raw, record = line.encode(), json.loads(line)
    if "stage" in record:
        assert decode(raw).stage == exact(raw).stage == record["stage"]
        assert audit(raw) == []
    elif "kind" in record:
        assert decode_interaction(raw, 0).item == record["item"]
    else:
        assert decode_catalog(b"g1", raw, 0).title == record["title"]
        assert set(record) == {*decode_catalog(b"g1", raw, 0).__struct_fields__} & set(record)


def test_every_stage_has_an_example() -> None:
    assert [*dict.fromkeys(json.loads(line).get("stage") for line in LINES)][: len(STAGES)] == [*STAGES]


def test_the_python_example_publishes_what_it_says(broker: str) -> None:
    _, example = blocks("python")
    _create(broker, "rectrace.stages")
    ours: dict[str, Any] = {  # what the example leaves to its reader
        "ann": lambda user: ([f"g{n}" for n in range(50)], [1 - n / 50 for n in range(50)]),
        "user": "u-1", "gone": ["g0"], "kept": [f"g{n}" for n in range(1, 50)], "predicted": [0.5] * 49,
        "ordered": [f"g{n}" for n in range(1, 50)],
    }  # fmt: skip
    patient = example.replace("kafka:9092", broker).replace("max_block_ms=100", "max_block_ms=10_000")
    exec(compile(patient, "README.md", "exec"), ours)
    ours["producer"].flush(30)
    ours["producer"].close()
    assert ours["publisher"].failed == 0

    expected = ["request", "retrieval", "filtering", "scoring", "ordering", "response"]
    assert _stages(broker, "r-17", len(expected)) == expected


def test_the_python_example_applies_rules(broker: str) -> None:
    example, _ = blocks("python")
    boost = next(rule for block in blocks("yaml") for rule in load_rules(block, "README.md") if rule.action)
    _create(broker, "rectrace.rules")
    assert send(Cluster(broker), publishing("rectrace.rules", [boost], "", "")) == [""]
    published: list[bytes | None] = []
    publisher = Publisher(lambda topic, key, value: published.append(value))
    ours: dict[str, Any] = {
        "items": ["g1", "g2"], "scores": [0.31, 0.3], "brands": ["Halden", "Linden Row"], "trace": publisher.trace("r"),
    }  # fmt: skip
    exec(compile(example.replace("kafka:9092", broker), "README.md", "exec"), ours)
    ours["rules"].close()
    assert (ours["applied"].items, publisher.failed) == (["g2", "g1"], 0)
    assert decode(published[0] or b"").stage == "business_logic"


def _create(broker: str, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    if topic not in admin.list_topics():
        admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()


def _stages(broker: str, request_id: str, count: int) -> list[str]:
    """The stages of the first `count` events of a request, over all partitions of the topic."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "readme", "enable.auto.commit": False})
    partitions = consumer.list_topics("rectrace.stages", timeout=30).topics["rectrace.stages"].partitions
    consumer.assign([TopicPartition("rectrace.stages", number, 0) for number in partitions])
    found: list[str] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is not None and not message.error():
            envelope = decode(message.value() or b"")
            found += [envelope.stage] if envelope.request_id == request_id else []
    consumer.close()
    return found


def test_there_are_commands_to_check() -> None:
    assert {command.split()[1] for command in COMMANDS} >= {"demo", "topics", "migrate", "worker"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_and_its_options_exist(command: str) -> None:
    words = command.split()[1:]
    names = [word for word in words if not word.startswith("-")][: 2 if words[0] in GROUPS else 1]
    told = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    assert [word for word in words if word.startswith("--") and word not in told.stdout] == []


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(?:[^`\n]* )?(--[a-z-]+)", README))))
def test_an_option_that_the_text_names_exists(option: str) -> None:
    names = [
        "demo",
        "stack",
        "worker",
        "console",
        "why",
        "requests",
        "item",
        "migrate",
        "topics",
        "schema",
        "dashboards push",
    ]
    told = [
        CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200"}).stdout
        for name in [*names, "dashboards push"]
    ]
    assert any(option in each for each in [*told, recommender().format_help()])


def test_every_setting_that_it_names_exists() -> None:
    known = set(variables(Settings)) | NOT_SETTINGS
    named = set(re.findall(r"RECTRACE_[A-Z_]+[A-Z]", README)) - {"RECTRACE_TEST"}
    assert named - known == set()
    for row in re.findall(r"^\| (`RECTRACE_.*?) \|", README, re.MULTILINE):
        first, *rest = re.findall(r"`([A-Z_]+)`", row)
        assert {first.rpartition("__")[0] + each for each in rest} <= known
