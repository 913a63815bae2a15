"""The gate of tests that need what not every machine has: skipped with how to get it, failed where it is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEST = "tests/integration/test_kafka_jvm.py::test_shared_broker_takes_records"


def run_without_java(tmp_path: Path, **environment: str) -> tuple[int, str]:
    """Exit code and output of a test run on a machine that has neither Java nor Maven."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("RECTRACE_")}
    env |= {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), **environment}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", TEST]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("required", "code", "told"),
    [
        ("", 0, "SKIPPED [1] tests/conftest.py"),
        ("docker", 0, "needs Apache Kafka: install Java 17"),
        ("docker, kafka", 1, "RECTRACE_REQUIRE names kafka, but the test needs Apache Kafka: install Java 17"),
        ("kafak", 4, "RECTRACE_REQUIRE names kafak; known are "),
    ],
)
def test_what_is_not_here(tmp_path: Path, required: str, code: int, told: str) -> None:
    returned, output = run_without_java(tmp_path, RECTRACE_REQUIRE=required)
    assert returned == code, output
    assert told in output
