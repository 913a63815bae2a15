"""What the commands print, compared with golden files: GOLDEN_WRITE=1 writes them again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.clickhouse.client import connect
from tests.support import incident
from tests.support.command_line import check_json, check_narrow, check_text

GOLDEN = Path(__file__).with_name("golden")
UNTIL = ["--since", "1m", "--until", "2100-01-01T12:01:00Z"]
COMMANDS = {
    "why-whole": ["why", "whole"],
    "why-whole-dropped": ["why", "whole", "--item", "g3"],
    "why-whole-served": ["why", "whole", "--item", "g1"],
    "why-fallback": ["why", "fallback"],
    "why-empty": ["why", "empty"],
    "why-unanswered": ["why", "unanswered"],
    "why-orphan": ["why", "orphan"],
    "why-twice": ["why", "twice"],
    "requests": ["requests", *UNTIL],
    "requests-user": ["requests", *UNTIL, "--user", "u-1", "--status", "empty"],
    "requests-item": ["requests", *UNTIL, "--item", "g3"],
    "item": ["item", "g3", *UNTIL],
    "item-segment": ["item", "g3", *UNTIL, "--segment", "country=DE", "--placement", "home"],
    "item-unknown": ["item", "g333", *UNTIL],
    "dlq-list": ["dlq", "list"],
    "dlq-list-reason": ["dlq", "list", "--reason", "missing_field", "--topic", "rectrace.stages"],
    "rules-backtest": ["rules", "backtest", str(Path(__file__).with_name("rules.yaml")), "--since", "2m", *UNTIL[2:]],
    "rules-pressure": ["rules", "pressure", "--since", "2m", *UNTIL[2:]],
}
NARROW = [
    "why-whole",
    "why-whole-dropped",
    "why-fallback",
    "requests",
    "requests-item",
    "item",
    "dlq-list",
    "rules-backtest",
    "rules-pressure",
]
AS_JSON = ["why-whole", "why-whole-dropped", "why-orphan", "requests-item", "item", "dlq-list", "rules-backtest"]


@pytest.fixture(scope="module")
def env(clickhouse: str) -> Iterator[dict[str, str]]:
    name = f"incident_{os.getpid()}"
    with connect(clickhouse) as client:
        incident.create(client, name)
        yield {"RECTRACE_CLICKHOUSE": clickhouse, "RECTRACE_DATABASE": name}
        client.command(f"DROP DATABASE {name} SYNC")


@pytest.mark.parametrize("name", COMMANDS)
def test_text(name: str, env: dict[str, str]) -> None:
    check_text(COMMANDS[name], env, GOLDEN / f"{name}.txt")


@pytest.mark.parametrize("name", NARROW)
def test_text_in_80_columns(name: str, env: dict[str, str]) -> None:
    check_narrow(COMMANDS[name], env, GOLDEN / f"{name}.80.txt")


@pytest.mark.parametrize("name", AS_JSON)
def test_json(name: str, env: dict[str, str]) -> None:
    check_json(COMMANDS[name], env, GOLDEN / f"{name}.json")


def test_every_golden_file_is_compared() -> None:
    names = {f"{name}.txt" for name in COMMANDS} | {f"{name}.80.txt" for name in NARROW}
    assert {file.name for file in GOLDEN.iterdir()} == names | {f"{name}.json" for name in AS_JSON}
