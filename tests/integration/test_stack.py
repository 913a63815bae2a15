"""The local stack with real clients, and the ways it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import clickhouse_connect
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from rectrace.local.errors import LocalError, PortInUse
from rectrace.local.stack import LocalStack

IMPORTS = "import sys; from pathlib import Path; from rectrace.local.stack import run_stack;"
PATIENCE = 30.0
ROOT = Path(__file__).parents[2]

Process: TypeAlias = "subprocess.Popen[str]"
Run: TypeAlias = Callable[..., Process]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts a stack in a process of its own, as the command does, on tmp_path."""
    started: list[Process] = []

    def start(kafka_port: int = 0, clickhouse_port: int = 0) -> Process:
        code = f"{IMPORTS} sys.exit(run_stack({kafka_port}, {clickhouse_port}, Path({str(tmp_path)!r})))"
        command = [sys.executable, "-c", code]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_ready(process: Process) -> str:
    """The broker's address; reads the lines that say so."""
    assert process.stdout is not None
    ready, export = process.stdout.readline(), process.stdout.readline()
    found = re.match(r"ready: Kafka on (127\.0\.0\.1:\d+) .*ClickHouse on (http://127\.0\.0\.1:\d+)", ready)
    assert found, ready
    assert export == f"export RECTRACE_KAFKA={found[1]} RECTRACE_CLICKHOUSE={found[2]}\n"
    return found[1]


def processes_of(text: str) -> list[int]:
    """Processes that have `text` in their command line or in the name of the file they write to."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            try:
                told = (directory / "cmdline").read_bytes().decode(), os.readlink(directory / "fd" / "1")
            except OSError:
                continue  # it has ended
            if any(text in each for each in told):
                found.append(int(directory.name))
    return found


def wait_until_none(text: str) -> list[int]:
    deadline = time.monotonic() + PATIENCE
    while (left := processes_of(text)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def test_clients_reach_both_parts() -> None:
    with LocalStack() as stack:
        producer = Producer({"bootstrap.servers": stack.kafka})
        delivered: list[TopicPartition] = []
        producer.produce(
            "greetings",
            b"hello",
            key=b"k",
            on_delivery=lambda _, m: delivered.append(TopicPartition(m.topic(), m.partition(), 0)),
        )
        assert producer.flush(PATIENCE) == 0
        consumer = Consumer({"bootstrap.servers": stack.kafka, "group.id": "g"})
        consumer.assign(delivered)
        message = consumer.poll(PATIENCE)
        assert message is not None
        assert (message.key(), message.value(), message.offset()) == (b"k", b"hello", 0)
        consumer.close()
        with clickhouse_connect.get_client(dsn=stack.clickhouse) as client:
            assert client.query("SELECT 6 * 7").result_rows == [(42,)]
        assert stack.failure() is None
        assert sorted(path.name for path in stack.log_dir.iterdir()) == ["broker.log", "clickhouse.log"]
        directory = stack.log_dir.parent
    assert not directory.exists()
    assert wait_until_none(str(directory)) == []


def test_clickhouse_remembers_and_the_broker_does_not(tmp_path: Path) -> None:
    with LocalStack(data=tmp_path) as stack, clickhouse_connect.get_client(dsn=stack.clickhouse) as client:
        client.command("CREATE DATABASE kept")
        client.command("CREATE TABLE kept.t (a UInt8) ENGINE = MergeTree ORDER BY a")
        client.insert("kept.t", [[7]], ["a"])
        first = stack.kafka
        producer = Producer({"bootstrap.servers": first})
        producer.produce("gone", b"x")
        assert producer.flush(PATIENCE) == 0
    with LocalStack(data=tmp_path) as stack:
        with clickhouse_connect.get_client(dsn=stack.clickhouse) as client:
            assert client.query("SELECT a FROM kept.t").result_rows == [(7,)]
        topics = Producer({"bootstrap.servers": stack.kafka}).list_topics(timeout=PATIENCE).topics
        assert "gone" not in topics


@pytest.mark.parametrize("option", ["kafka", "clickhouse"])
def test_a_port_in_use_is_named_with_its_option(option: str, taken_port: int, run: Run, tmp_path: Path) -> None:
    ports = (taken_port, 0) if option == "kafka" else (0, taken_port)
    with pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{taken_port} is in use .* --{option}-port"), LocalStack(*ports):
        pass
    process = run(*ports)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"127.0.0.1:{taken_port} is in use" in err
    assert "Traceback" not in err
    assert "ready" not in out
    assert wait_until_none(str(tmp_path)) == []


def test_a_second_stack_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with (
        LocalStack(data=tmp_path),
        pytest.raises(LocalError, match=rf"another process uses {tmp_path}"),
        LocalStack(data=tmp_path),
    ):
        pass


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match="file/data"), LocalStack(data=tmp_path / "file" / "data"):
        pass


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("stack.run_stack(0, 0, None)", "the local broker is not installed"),
        ("clickhouse.start_clickhouse(0, Path('data'), Path('logs'))", "ClickHouse's engine needs chdb and aiohttp"),
    ],
)
def test_an_installation_without_the_local_extra_says_so(tmp_path: Path, call: str, told: str) -> None:
    imports = "import sys; from pathlib import Path; from rectrace.local import clickhouse, stack;"
    code = f"sys.path.append({str(ROOT)!r}); {imports} sys.exit({call})"
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; {code}",
    ]  # -S: nothing that was installed can be imported
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    assert f"{told}: pip install 'rectrace[local]'" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_stack_cleanly(number: signal.Signals, run: Run, tmp_path: Path) -> None:
    process = run()
    read_ready(process)
    assert processes_of(str(tmp_path))
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert err == ""
    assert wait_until_none(str(tmp_path)) == []


def test_a_killed_stack_leaves_no_process(run: Run, tmp_path: Path) -> None:
    process = run()
    address = read_ready(process)
    assert len(processes_of(f"{tmp_path}/logs")) == 2
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert wait_until_none(str(tmp_path)) == []
    assert wait_until_none(address) == []


def test_a_part_that_ends_ends_the_stack(run: Run, tmp_path: Path) -> None:
    process = run()
    address = read_ready(process)
    for pid in processes_of(address):
        os.kill(pid, signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "broker ended with exit code -9" in err
    assert wait_until_none(str(tmp_path)) == []
