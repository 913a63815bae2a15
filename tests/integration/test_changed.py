"""What `rectrace changed` prints, compared with golden files (GOLDEN_WRITE=1 writes them again), and its errors."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest

from tests.support import changes
from tests.support.command_line import check_json, check_narrow, check_text, run

GOLDEN = Path(__file__).with_name("golden-changed")
MINUTE = ["--since", "1m", "--until", "2100-01-01T12:01:00Z"]
COMMANDS = {
    "short": ["changed", "short", *MINUTE],
    "empty-at-home": ["changed", "empty", *MINUTE, "--placement", "home"],
    "yield": ["changed", "yield", *MINUTE],
    "requests": ["changed", "requests", *MINUTE],
    "latency": ["changed", "latency", *MINUTE],
    "quiet": ["changed", "fallback", "--since", "20s", "--until", "2100-01-01T12:00:00Z"],
    "nothing-before": ["changed", "short", "--since", "1m", "--until", "2100-01-01T12:00:00Z", "--against", "1d"],
    "nothing": ["changed", "short", "--since", "1m", "--until", "2100-01-02T12:00:00Z"],
}
NARROW = ["short", "requests"]
AS_JSON = ["short", "nothing"]


@pytest.fixture(scope="module")
def env(clickhouse: str) -> Iterator[dict[str, str]]:
    name = f"changed_{os.getpid()}"
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        changes.create(client, name)
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


def test_the_commands_it_offers_work(env: dict[str, str]) -> None:
    told = json.loads(run([*COMMANDS["short"], "--json"], env).stdout)
    assert len(told["examples"]) == 5
    for command, request_id in zip(told["commands"], told["examples"], strict=True):
        shown = run([*command.split()[1:], "--json"], env)
        assert shown.exit_code == 0
        trace = json.loads(shown.stdout)
        assert trace["request_id"] == request_id
        assert trace["segments"]["country"] == "DE"
        assert trace["n_served"] < trace["k"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["changed", "emty"], "'emty' is none of requests, empty, short"),
        (["changed", "empty", "--since", "1h", "--against", "10m"], "at least --since 1h"),
        (["changed", "empty", "--against", "often"], "'often' is no time span"),
    ],
)
def test_wrong_usage(words: list[str], says: str, env: dict[str, str]) -> None:
    done = run(words, env)
    assert done.exit_code == 2
    assert says in " ".join(done.stderr.replace("│", " ").split())


def test_every_golden_file_is_compared() -> None:
    names = {f"{name}.txt" for name in COMMANDS} | {f"{name}.80.txt" for name in NARROW}
    assert {file.name for file in GOLDEN.iterdir()} == names | {f"{name}.json" for name in AS_JSON}
