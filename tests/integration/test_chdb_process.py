"""The ClickHouse process: what it says when it cannot serve, how it ends, what it leaves behind."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

PATIENCE = 30.0

Process: TypeAlias = "subprocess.Popen[str]"
Serve: TypeAlias = Callable[..., Process]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts the server with these arguments."""
    started: list[Process] = []

    def start(*arguments: object) -> Process:
        command = [sys.executable, "-m", "rectrace.local.chdb_server", *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ready(process: Process) -> str:
    """The URL of its one line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"ClickHouse \S+ \(chDB\) ready on (http://127\.0\.0\.1:\d+)\n", line)
    assert found, line
    return found[1]


def run(url: str, sql: str) -> str:
    with urllib.request.urlopen(url, sql.encode(), timeout=PATIENCE) as response:
        return str(response.read().decode())


def spooled(data: Path) -> list[Path]:
    return list(data.with_name(f"{data.name}.inserts").glob("*"))


def test_a_port_in_use_is_named(serve: Serve, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        process = serve("--path", tmp_path / "data", "--port", address.partition(":")[2])
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert err == f"{address} is in use by another process; choose another port with --port (0 takes a free one)\n"
    assert not (tmp_path / "data").exists()


def test_a_second_process_on_the_directory_is_refused_and_the_first_goes_on(serve: Serve, tmp_path: Path) -> None:
    url = ready(serve("--path", tmp_path / "data", "--port", 0))
    second = serve("--path", tmp_path / "data", "--port", 0)
    out, err = second.communicate(timeout=PATIENCE)
    assert (second.returncode, out) == (1, "")
    assert f"another process uses {tmp_path / 'data'}" in err
    assert "Traceback" not in err
    assert run(url, "SELECT 1") == "1\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--path", "a?b"], "question mark"),
        (["--path", "data", "--config-file", "nothing.xml"], "nothing.xml: no such file"),
        ([], "--path"),
    ],
)
def test_wrong_usage_says_what(serve: Serve, tmp_path: Path, arguments: list[str], told: str) -> None:
    process = serve(*(tmp_path / word if word[0].islower() else word for word in arguments))
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert told in err


def test_a_directory_that_cannot_be_used_is_named(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = serve("--path", tmp_path / "file", "--port", 0)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert str(tmp_path / "file") in err
    assert "Traceback" not in err


def test_a_configuration_file_applies(serve: Serve, tmp_path: Path) -> None:
    settings = "<merge_tree><max_suspicious_broken_parts>77</max_suspicious_broken_parts></merge_tree>"
    (tmp_path / "server.xml").write_text(f"<clickhouse>{settings}</clickhouse>")
    url = ready(serve("--path", tmp_path / "data", "--port", 0, "--config-file", tmp_path / "server.xml"))
    sql = "SELECT value FROM system.merge_tree_settings WHERE name = 'max_suspicious_broken_parts'"
    assert run(url, sql) == "77\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_while_a_query_runs(serve: Serve, tmp_path: Path, number: signal.Signals) -> None:
    process = serve("--path", tmp_path / "data", "--port", 0)
    url = ready(process)
    errors: list[Exception] = []

    def query() -> None:
        try:
            run(url, "SELECT sum(sleepEachRow(1)) FROM numbers(120) SETTINGS max_block_size = 1")
        except (OSError, http.client.HTTPException) as error:
            errors.append(error)

    asking = threading.Thread(target=query)
    asking.start()
    deadline = time.monotonic() + PATIENCE
    while "sleepEachRow(1)" not in run(url, "SELECT query FROM system.processes") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    asking.join(PATIENCE)
    assert process.returncode == 0
    assert len(errors) == 1


def test_bodies_of_inserts_are_gone_after_success_failure_and_a_kill(serve: Serve, tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = serve("--path", data, "--port", 0)
    url = ready(process)
    run(url, "CREATE DATABASE d")
    run(url, "CREATE TABLE d.t (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    run(url, 'INSERT INTO d.t (n) FORMAT JSONEachRow\n{"n": 1}')
    with pytest.raises(urllib.error.HTTPError):
        run(url, 'INSERT INTO d.t (n) FORMAT JSONEachRow\n{"n": "x"}')
    assert spooled(data) == []
    data.with_name("data.inserts").joinpath("left").write_text("by a killed process")
    process.kill()
    process.communicate(timeout=PATIENCE)
    again = serve("--path", data, "--port", 0)
    url = ready(again)
    assert spooled(data) == []
    assert run(url, "SELECT n FROM d.t") == "1\n"
    again.terminate()
    again.communicate(timeout=PATIENCE)
    assert again.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_kill_loses_no_acknowledged_insert_and_halves_none(serve: Serve, tmp_path: Path) -> None:
    data = tmp_path / "data"
    acknowledged = 0
    for round_ in range(2):
        process = serve("--path", data, "--port", 0)
        url = ready(process)
        run(url, "CREATE DATABASE IF NOT EXISTS d")
        run(url, "CREATE TABLE IF NOT EXISTS d.t (batch UInt64, s String) ENGINE = MergeTree ORDER BY batch")
        killer = threading.Timer(1.0, process.kill)
        killer.start()
        try:
            while True:
                batch = round_ * 1_000_000 + acknowledged
                row = json.dumps({"batch": batch, "s": "x"})
                run(url, "\n".join(["INSERT INTO d.t FORMAT JSONEachRow", *[row] * 500]))
                acknowledged += 1
        except (OSError, http.client.HTTPException):
            process.communicate(timeout=PATIENCE)
    url = ready(serve("--path", data, "--port", 0))
    assert acknowledged > 0
    assert run(url, "SELECT uniqExact(c) <= 1 FROM (SELECT count() AS c FROM d.t GROUP BY batch)") == "1\n"
    assert acknowledged <= int(run(url, "SELECT count() / 500 FROM d.t")) <= acknowledged + 2
