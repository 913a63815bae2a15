"""The benchmark runs: every peer reads the whole topic, and the worker's traces are all in ClickHouse."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACES = 300
EVENTS = 7 * TRACES
DECODERS = {"aiokafka", "confluent", "faust"}
JOINS = {"faust-table", "rectrace", "rectrace-land", "rectrace-seal", "rectrace-10-rules", "rectrace-1000-rules"}


@pytest.mark.parametrize(
    "names",
    [
        pytest.param({"aiokafka", "rectrace-seal", "rectrace-10-rules"}, id="some"),
        pytest.param(DECODERS | JOINS, id="all", marks=pytest.mark.long),
    ],
)
def test_contenders_count_the_same_events(tmp_path: Path, names: set[str]) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks.pipeline", "--traces", str(TRACES), "--candidates", "20"]
    command += ["--rate", "25", "--bound", "10"]  # two windows, and all of them sealed
    command += ["--json", str(results), "--only", ",".join(sorted(names))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    found = {result["name"]: result for result in json.loads(results.read_text())}
    assert set(found) == names
    for name, result in found.items():
        whole = not result["note"]  # plain Faust may have been stopped: then it tells so
        assert whole or name.startswith("faust")
        assert result["events"] == EVENTS if whole else 0 < result["events"] < EVENTS
        assert result["seconds"] > 0
        assert result["rss"] > 0
        if name in JOINS and whole:
            assert result["traces"] == TRACES
    assert found["rectrace-seal"]["clickhouse_cpu"] > 0
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(lines) == len(found) + 1


def test_an_unknown_contender_is_named() -> None:
    command = [sys.executable, "-m", "benchmarks.pipeline", "--only", "aiokafka,nobody"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "nobody" in done.stderr
    assert "rectrace-seal" in done.stderr
