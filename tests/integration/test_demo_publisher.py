"""`python -m rectrace.demo` against a real broker."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from rectrace.demo.business import standing_rules
from rectrace.demo.publisher import TOPICS
from rectrace.demo.traffic import CATALOG, INTERACTIONS, RULES, STAGES
from rectrace.local.broker import start_broker
from rectrace.local.ports import free_port
from rectrace.producing import send
from rectrace.rule_book import starter_pack
from rectrace.rule_publishing import disabling, publishing
from schemas.envelope import decode
from schemas.rules import Rule
from streams.cluster import Cluster

PARTITIONS = 4
FIRST_RULES = len(starter_pack().rules) + len(standing_rules())


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[str]:
    """A broker of this test's own: the topics' names are fixed."""
    with start_broker(0, tmp_path) as broker:
        yield broker.address


@pytest.fixture
def topics(kafka: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in TOPICS])
    admin.close()


def demo(*options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "rectrace.demo", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read(kafka: str, expected: int) -> dict[str, list[Any]]:
    """All records of the three topics; waits until there are `expected`."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, number) for topic in TOPICS for number in range(PARTITIONS)])
    consumer.seek_to_beginning()
    found: dict[str, list[Any]] = defaultdict(list)
    deadline = time.monotonic() + 30
    while sum(map(len, found.values())) < expected and time.monotonic() < deadline:
        for partition, records in consumer.poll(timeout_ms=500).items():
            found[partition.topic] += records
    consumer.close()
    return found


def test_the_traffic_arrives_whole_and_stops_at_a_signal(kafka: str, topics: None) -> None:
    process = demo("--kafka", kafka, "--rate", "60", "--fault", "source_empty@1", "--seed", "3")
    assert process.stdout is not None
    lines = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (0, "")
    last = json.loads(rest.splitlines()[-1])
    assert lines[-1]["faults"] == ["source_empty"]
    assert last["failed"] == 0
    assert 60 < last["requests"] < 600
    found = read(kafka, last["messages"])
    assert {topic: len(records) for topic, records in found.items()}.keys() <= set(TOPICS)
    assert sum(map(len, found.values())) == last["messages"]
    assert len(found[STAGES]) == last["events"]
    assert len({record.key for record in found[CATALOG]}) == 1206

    partitions = defaultdict(set)
    components: Counter[str] = Counter()
    stages: dict[str, set[str]] = {"request": set(), "response": set()}
    for record in found[STAGES]:
        event = decode(record.value)
        partitions[event.request_id].add(record.partition)
        components[event.component] += 1
        stages.setdefault(event.stage, set()).add(event.request_id)
        assert abs(event.ts_ms - record.timestamp) < 45_000
    assert all(len(seen) == 1 for seen in partitions.values())
    assert last["request_id"] in partitions
    assert len(partitions) == last["requests"]
    whole = len(stages["request"] & stages["response"])
    assert whole > 0.97 * last["requests"]  # one event in two thousand is late and has not come
    assert min(components.values()) > 0.5 * components["rrf"]
    for record in found[INTERACTIONS]:
        assert json.loads(record.value)["request_id"] in partitions


def rule(name: str, when: str) -> Rule:
    fields = {"id": name, "owner": "me", "scope": "item", "message": "m", "when": when, "action": "exclude"}
    return Rule.model_validate(fields)


def test_business_logic_goes_by_the_rules_that_are_published(kafka: str, topics: None) -> None:
    before = rule("before", "category != 'Dresses'")
    assert send(Cluster(kafka), publishing(RULES, [before], "", "")) == [""]
    process = demo("--kafka", kafka, "--rate", "60")
    assert process.stdout is not None
    process.stdout.readline()
    changes = [
        *publishing(RULES, [rule("after", "category = 'Dresses'")], "", ""),
        *disabling(RULES, ["before"], "", ""),
    ]
    assert send(Cluster(kafka), changes) == ["", ""]
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")

    last = json.loads(rest.splitlines()[-1])
    events = [json.loads(record.value) for record in read(kafka, last["messages"])[STAGES]]
    acted = [(event["ts"], *event["dropped"]) for event in events if event["stage"] == "business_logic"]
    acted = sorted(each for each in acted if len(each) > 1)
    assert (acted[0][1:], acted[-1][1:]) == (("before",), ("after",))


def test_what_is_asked_by_http_goes_through_the_stages_and_is_published(kafka: str, topics: None) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = demo("--kafka", kafka, "--rate", "1", "--serve", address, "--fault", "source_slow")
    assert process.stdout is not None
    process.stdout.readline()
    asked = urllib.request.Request(
        f"http://{address}/recommend/similar-items",
        json.dumps({"inputs": {"user": "u00042", "item": "g871"}}).encode(),
        {"content-type": "application/json", "X-Request-Id": "r-17"},
    )
    begun = time.monotonic()
    with urllib.request.urlopen(asked, timeout=30) as answered:
        told = json.load(answered)
    assert time.monotonic() - begun > 0.2  # the fault: content takes 220 ms longer
    process.send_signal(signal.SIGTERM)  # at once: what was asked is published all the same
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")

    last = json.loads(rest.splitlines()[-1])
    records = [record for record in read(kafka, last["messages"])[STAGES] if record.key == b"r-17"]
    events = {(event["stage"], event["component"]): event for event in (json.loads(each.value) for each in records)}
    assert len(events) == len(records) == len(events["request", "api"]["expects"]) + 2
    assert events["request", "api"]["placement"] == told["placement"] == "product_page"
    assert events["response", "api"]["items"] == [each["item"] for each in told["items"]]
    assert len(told["items"]) == 12
    assert told["request_id"] == "r-17"


def test_it_puts_its_first_rules_in_force_on_a_broker_that_is_given(kafka: str, topics: None) -> None:
    process = demo("--kafka", kafka, "--rate", "60", "--rules", "--seconds", "3")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")

    found = read(kafka, json.loads(output.splitlines()[-1])["messages"] + FIRST_RULES)
    assert len({record.key for record in found[RULES]}) == FIRST_RULES
    events = [json.loads(record.value) for record in found[STAGES]]
    adjustments = [each for event in events for each in event.get("adjustments", [])]
    assert "boost_new_season" in {each["rule_id"] for each in adjustments}


def test_the_recommender_needs_none_of_the_local_stack() -> None:
    code = "import rectrace.demo.__main__, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded & {"chdb", "aiohttp", "clickhouse_connect", "faust"} == set()
    assert "numpy" in loaded


def test_it_stops_after_its_seconds_and_writes_the_status_to_a_file(kafka: str, topics: None, tmp_path: Path) -> None:
    process = demo("--kafka", kafka, "--rate", "5", "--seconds", "3", "--status", str(tmp_path / "status"))

    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "status").read_text().splitlines()]
    assert lines[-1]["messages"] >= 1206
    assert len(lines) >= 2


def test_without_topics_it_says_which_are_missing(kafka: str) -> None:
    process = demo("--kafka", kafka)

    _, errors = process.communicate(timeout=30)

    assert process.returncode == 1
    assert kafka in errors
    for topic in TOPICS:
        assert topic in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:port"])
def test_without_a_broker_it_says_so(address: str) -> None:
    process = demo("--kafka", address)

    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert address in errors
    assert "--kafka" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fault", "sorce_empty"], "did you mean 'source_empty'"),
        (["--fault", "source_empty@soon"], "NAME@SECONDS"),
        (["--rate", "0"], "--rate: 0 is not above 0"),
        (["--rate", "many"], "--rate"),
        (["--rate", "nan"], "--rate: nan is not above 0"),
        (["--rate", "inf"], "--rate: inf is not above 0 or not finite"),
        (["--serve", "9480"], "--serve: '9480' is not HOST:PORT"),
        (["--seed", "-1"], "--seed: '-1' is not a whole number from 0 on"),
    ],
)
def test_wrong_usage_is_exit_code_2(options: list[str], says: str) -> None:
    process = demo("--kafka", "127.0.0.1:1", *options)

    _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert says in errors
