"""What a person meets who does something wrong, or whose servers are: one clear line, the right exit code."""

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import clickhouse_connect
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from typer.testing import CliRunner, Result

from rectrace.cli import app
from rectrace.local.ports import free_port
from rectrace.local.processes import Child, start
from sinks.clickhouse.migrate import Layout, migrate
from sinks.clickhouse.reader import STATUSES
from tests.support.service import RECTRACE, eventually

SECRET = "hunter2-hunter2"
ASKING = [["why", "r"], ["why", "--last"], ["requests"], ["item", "g1"], ["dlq", "list"], ["dlq", "replay"]]
ASKING += [["alerts", "list"]]


def run(*words: str, **env: str) -> Result:
    nothing = dict.fromkeys(name for name in os.environ if name.startswith("RECTRACE_"))
    return CliRunner().invoke(app, list(words), env={**nothing, "COLUMNS": "200", **env})


def one_line(done: Result, code: int) -> str:
    """What it says, if that is one line on stderr and nothing else."""
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("rectrace: ")
    return done.stderr


@pytest.fixture
def nowhere() -> str:
    """An address at which nothing listens."""
    return f"127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["why"], "REQUEST_ID"),
        (["why", "r", "--last"], "REQUEST_ID"),
        (["why", "r", "--user", "u"], "--last"),
        (["why", "r", "--itme", "g1"], "--itme"),
        (["requests", "--since", "yesterday"], "--since"),
        (["requests", "--since", "0s"], "--since"),
        (["requests", "--since", "500d"], "--since"),
        (["requests", "--until", "25:00"], "--until"),
        (["requests", "--status", "emtpy"], "--status"),
        (["requests", "--limit", "0"], "--limit"),
        (["item"], "ITEM"),
        (["item", "g1", "--segment", "country"], "--segment"),
        (["item", "g1", "--segment", "planet=mars"], "--segment"),
        (["item", "g1", "--since", "-5m"], "--since"),
        (["dlq", "list", "--reason", "nonsense"], "--reason"),
        (["dlq", "list", "--since", "5"], "--since"),
        (["dlq", "replay", "--limit", "many"], "--limit"),
        (["topics", "--partitions", "0"], "--partitions"),
        (["worker", "--metrics-port", "70000"], "--metrics-port"),
        (["schema", "--write", "/dev/null/x"], "--write"),
        (["demo", "--rate", "0"], "--rate"),
        (["demo", "--fault", "nonsense"], "--fault"),
        (["demo", "--seconds", "-1"], "--seconds"),
        (["stack", "--kafka-port", "-1"], "--kafka-port"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_names_the_option(words: list[str], named: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert named in done.stderr
    assert "Usage: " in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("words", "env", "told"),
    [
        (["requests"], {"RECTRACE_CLICKHOUSE": "localhost"}, "RECTRACE_CLICKHOUSE is 'localhost': must be http://"),
        (["requests", "--clickhouse", "localhost"], {}, "--clickhouse is 'localhost': must be http://"),
        (["topics", "--kafka", "localhost"], {}, "--kafka is 'localhost': must be HOST:PORT"),
        (["worker"], {"RECTRACE_JOIN__GRACE": "0"}, "RECTRACE_JOIN__GRACE is '0': must be a number, above 0"),
        (["migrate"], {"RECTRACE_DATABSE": "x"}, "RECTRACE_DATABSE is not a setting; did you mean RECTRACE_DATABASE?"),
        (["item", "g1"], {"RECTRACE_CONFIG": "/nowhere.yaml"}, "RECTRACE_CONFIG: cannot read '/nowhere.yaml'"),
    ],
)
def test_wrong_settings_end_with_code_2(words: list[str], env: dict[str, str], told: str) -> None:
    assert told in one_line(run(*words, **env), 2)


def test_help_names_every_status() -> None:
    told = run("requests", "--help").stdout
    assert all(status in told for status in STATUSES)


@pytest.mark.parametrize("words", [*ASKING, ["migrate"], ["migrate", "--dry-run"]])
def test_clickhouse_away(words: list[str], nowhere: str) -> None:
    told = one_line(run(*words, RECTRACE_CLICKHOUSE=f"http://{nowhere}"), 1)
    assert f"nothing listens at http://{nowhere}" in told
    assert "--clickhouse" in told


@pytest.mark.parametrize("words", ASKING)
def test_no_database(words: list[str], clickhouse: str) -> None:
    told = one_line(run(*words, RECTRACE_CLICKHOUSE=clickhouse, RECTRACE_DATABASE="nobody_made_it"), 1)
    assert "there is no database 'nobody_made_it'" in told
    assert "rectrace migrate" in told


@pytest.mark.parametrize("words", ASKING)
def test_a_database_that_is_not_migrated(words: list[str], clickhouse: str, database: str) -> None:
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        client.command(f"CREATE DATABASE {database}")
    told = one_line(run(*words, RECTRACE_CLICKHOUSE=clickhouse, RECTRACE_DATABASE=database), 1)
    assert f"database {database!r}" in told
    assert "rectrace migrate" in told


@pytest.fixture
def other_server() -> Iterator[str]:
    """An HTTP server that is no ClickHouse."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(404, "What?")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_server_that_is_no_clickhouse(other_server: str) -> None:
    told = one_line(run("why", "r", RECTRACE_CLICKHOUSE=other_server), 1)
    assert f"what answers at {other_server} is no ClickHouse" in told


def test_an_unknown_host() -> None:
    told = one_line(run("why", "r", "--clickhouse", "http://no-such-host.invalid:8123"), 1)
    assert "no host is known by the name" in told


def test_passwords_are_never_shown(nowhere: str, other_server: str, tmp_path: Path) -> None:
    file = tmp_path / "rectrace.yaml"
    file.write_text(f"clickhouse_password: [{SECRET}]\nclickhouse_pasword: {SECRET}\n")
    ways = [
        {"RECTRACE_CLICKHOUSE": f"http://me:{SECRET}@{nowhere}"},
        {"RECTRACE_CLICKHOUSE": other_server.replace("//", f"//me:{SECRET}@")},
        {"RECTRACE_CLICKHOUSE": f"ftp://me:{SECRET}@{nowhere}"},
        {"RECTRACE_CLICKHOUSE": f"http://me:{SECRET}@{nowhere}/path"},
        {"RECTRACE_CLICKHOUSE": f"http://{nowhere}", "RECTRACE_CLICKHOUSE_USER": "me"}
        | {"RECTRACE_CLICKHOUSE_PASSWORD": SECRET},
        {"RECTRACE_CLICKHOUSE_PASWORD": SECRET},
        {"RECTRACE_CLICKHOUSE__PASSWORD": SECRET},
        {"RECTRACE_CONFIG": str(file)},
    ]
    for env in ways:
        done = run("why", "r", **env)
        assert done.exit_code in (1, 2), env
        assert SECRET not in done.output + repr(done.exception), env


def test_kafka_away(nowhere: str, clickhouse: str, database: str) -> None:
    assert f"no broker answers at {nowhere}" in one_line(run("topics", "--kafka", nowhere), 1)
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        migrate(client, Layout(database))
    env = {"RECTRACE_CLICKHOUSE": clickhouse, "RECTRACE_DATABASE": database, "RECTRACE_KAFKA": nowhere}
    assert f"no broker answers at {nowhere}" in one_line(run("dlq", "replay", **env), 1)


OTHERS = ("INTERACTIONS", "CATALOG", "RULES")


def test_topics_are_made_once(broker: str, database: str) -> None:
    env = {"RECTRACE_KAFKA": broker, "RECTRACE_TOPICS__STAGES": f"{database}.b,{database}.a"}
    env |= {f"RECTRACE_TOPICS__{kind}": f"{database}.{name}" for kind, name in zip(OTHERS, "cde", strict=True)}
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(f"{database}.c", 3, 1)])
    assert (
        run("topics", "--partitions", "3", **env).stdout
        == f"created {database}.a, {database}.b, {database}.d, {database}.e\n"
    )
    assert run("topics", "--partitions", "3", **env).stdout == "all topics are there\n"
    again = run("topics", "--partitions", "4", **env)
    assert again.stderr.splitlines() == [
        f"{database}.{name} was there before, with 3 partitions instead of 4" for name in "bacde"
    ]
    described = admin.describe_topics([f"{database}.{name}" for name in "abcde"])
    assert [len(topic["partitions"]) for topic in described] == [3, 3, 3, 3, 3]
    admin.close()


class Worker:
    """A worker process that is to end, or to wait, before it reads anything."""

    def __init__(self, directory: Path, env: dict[str, str], *words: str) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("RECTRACE_")}
        self.log = directory / "worker.log"
        self.child: Child = start("worker", [*RECTRACE, "worker", *words], self.log, own | env)

    def wait_exit(self) -> int | None:
        eventually(lambda: self.child.exit_code is not None, lambda: f"it ends: {self.log.read_text()}")
        assert "Traceback" not in self.log.read_text()
        return self.child.exit_code


def test_a_worker_whose_database_is_not_as_it_must_be(clickhouse: str, database: str, tmp_path: Path) -> None:
    env = {"RECTRACE_CLICKHOUSE": clickhouse, "RECTRACE_DATABASE": database, "RECTRACE_METRICS__PORT": "0"}
    worker = Worker(tmp_path, env)
    assert worker.wait_exit() == 2
    assert f"database {database!r} lacks 0001_landing" in worker.log.read_text()
    assert "run `rectrace migrate` first" in worker.log.read_text()

    assert run("migrate", **env).stdout.startswith(f"database {database}: applied 0001_landing, 0002")
    assert run("migrate", **env).stdout == f"database {database}: up to date\n"
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        client.insert(f"{database}.migrations", [["9999_from_the_future", "x"]], column_names=["name", "checksum"])
    for done in (run("migrate", **env), run("migrate", "--dry-run", **env)):
        assert "has migration '9999_from_the_future', which this version" in one_line(done, 2)
    assert Worker(tmp_path, env).wait_exit() == 2
    assert "it was migrated by a newer version" in worker.log.read_text()

    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        client.command(f"TRUNCATE TABLE {database}.migrations")
        client.insert(f"{database}.migrations", [["0001_landing", "x"]], column_names=["name", "checksum"])
    assert "migrations are frozen once applied" in one_line(run("migrate", **env), 2)


def test_a_metrics_port_in_use(clickhouse: str, database: str, tmp_path: Path) -> None:
    env = {"RECTRACE_CLICKHOUSE": clickhouse, "RECTRACE_DATABASE": database}
    run("migrate", **env)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        worker = Worker(tmp_path, env, "--metrics-port", str(port))
        assert worker.wait_exit() == 2
    assert f"the metrics port 127.0.0.1:{port} is in use" in worker.log.read_text()


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_a_metrics_address_that_is_not_this_machines(host: str) -> None:
    told = one_line(run("worker", "--metrics-port", "0", RECTRACE_METRICS__HOST=host), 2)
    assert f"cannot serve metrics on {host}:0 (metrics.host): " in told


def test_a_worker_says_what_it_waits_for(nowhere: str, tmp_path: Path) -> None:
    worker = Worker(tmp_path, {"RECTRACE_CLICKHOUSE": f"http://{nowhere}", "RECTRACE_METRICS__PORT": "0"})
    told = f"nothing listens at http://{nowhere}. Is ClickHouse running there?"
    eventually(lambda: told in worker.log.read_text(), worker.log.read_text)
    assert worker.child.exit_code is None
    assert worker.log.read_text().count("\n") == 1
    worker.child.stop()
    assert "Traceback" not in worker.log.read_text()
