"""What a command does not need, it does not load: a person waits for it."""

import subprocess
import sys

import pytest

ALWAYS_ABSENT = {"chdb", "numpy", "faust", "aiokafka", "confluent_kafka", "aiohttp", "pandas", "pyarrow", "polars"}
ONLY_WHEN_ASKED = {"kafka", "clickhouse_connect", "pydantic_settings", "yaml"}


def loaded(code: str) -> set[str]:
    """The top-level modules that are loaded after `code` ran in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


RUN = """
from rectrace.cli import app
try:
    app({words!r})
except SystemExit:
    pass
"""


def test_help_loads_no_library_of_a_server() -> None:
    assert loaded(RUN.format(words=["--help"])) & (ALWAYS_ABSENT | ONLY_WHEN_ASKED) == set()
    assert loaded(RUN.format(words=["why", "--help"])) & (ALWAYS_ABSENT | ONLY_WHEN_ASKED) == set()


@pytest.mark.parametrize(
    "words", [["why", "r"], ["requests"], ["item", "g"], ["changed", "empty"], ["dlq", "list"], ["migrate"]]
)
def test_asking_clickhouse_loads_neither_kafka_nor_the_worker(words: list[str]) -> None:
    found = loaded(RUN.format(words=[*words, "--clickhouse", "http://127.0.0.1:1"]))
    assert "clickhouse_connect" in found
    assert found & (ALWAYS_ABSENT | {"kafka"}) == set()


def test_the_client_brings_neither_engine_nor_server() -> None:
    found = loaded("import rectrace.client")
    assert found & (ALWAYS_ABSENT | {"kafka", "clickhouse_connect", "typer", "rich"}) == set()


def test_checking_dashboards_needs_no_sdk() -> None:
    assert loaded(RUN.format(words=["dashboards", "check"])) & (ALWAYS_ABSENT | {"grafana_foundation_sdk"}) == set()


def test_pushing_dashboards_needs_no_sdk() -> None:
    found = loaded(RUN.format(words=["dashboards", "push", "--grafana", "http://127.0.0.1:1"]))
    assert "grafana_api" in found
    assert found & (ALWAYS_ABSENT | {"grafana_foundation_sdk", "kafka", "clickhouse_connect"}) == set()
