"""`rectrace console` as a process: ready, a clean stop, and what it says when it cannot start."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from rectrace.cli import app

NOWHERE = "http://127.0.0.1:1"


def environment(**given: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RECTRACE_")} | given


@contextmanager
def console(*options: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running one, and its port."""
    command = [sys.executable, "-m", "rectrace", "console", "--port", "0", "--clickhouse", NOWHERE, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(**env)) as process:
        killer = threading.Timer(120, process.kill)
        killer.start()
        try:
            assert process.stdout
            line = process.stdout.readline()
            found = re.fullmatch(r"ready: console on http://[0-9.]+:(\d+); Ctrl-C stops it\n", line)
            assert found, line
            yield process, int(found[1])
        finally:
            process.kill()
            killer.cancel()


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_it_starts_without_clickhouse_and_stops_when_it_is_told() -> None:
    with console() as (process, port):
        assert get(port, "/ready") == (200, "ready\n")
        code, page = get(port, "/requests")
        assert code == 200
        assert "Looking for requests" in page
        outside = set(re.findall(r"""(?:src|href|url\(|from|import)\s*[=(]?\s*["'](https?:)?//[^"']+""", page))
        assert outside == set()
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - begun < 15


def test_elsewhere_it_asks_for_the_token() -> None:
    secret = "a-long-enough-secret"
    with console("--host", "0.0.0.0", RECTRACE_CONSOLE__TOKEN=secret) as (_, port):
        assert get(port, "/requests")[0] == 401
        assert get(port, "/requests", Authorization=f"Bearer {secret}")[0] == 200


def run(*words: str, **env: str) -> tuple[int, str]:
    nothing = dict.fromkeys(name for name in os.environ if name.startswith("RECTRACE_"))
    done = CliRunner().invoke(app, ["console", "--clickhouse", NOWHERE, *words], env={**nothing, **env})
    return done.exit_code, done.stderr


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, told = run("--port", str(port))
    assert code == 1
    assert f"127.0.0.1:{port} is in use by another process; choose another port with --port" in told


def test_an_address_that_is_not_ours() -> None:
    code, told = run("--host", "192.0.2.1", RECTRACE_CONSOLE__TOKEN="a-long-enough-secret")
    assert (code, told.count("\n")) == (2, 1)
    assert "console.host" in told


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({}, "set console.token (RECTRACE_CONSOLE__TOKEN), or console.user_header"),
        (
            {"RECTRACE_CONSOLE__TOKEN": "short-secret"},
            "RECTRACE_CONSOLE__TOKEN is set, but not usable: must have 16 characters or more",
        ),
        ({"RECTRACE_CONSOLE__USER_HEADER": "X User"}, "is 'X User': must be letters, digits and hyphens"),
        ({"RECTRACE_CONSOLE__PROXIES": "10.0.0.0/99"}, "'10.0.0.0/99'"),
    ],
)
def test_unguarded_or_wrong_it_does_not_start(env: dict[str, str], told: str) -> None:
    code, said = run("--host", "0.0.0.0", **env)
    assert code == 2
    assert told in said
    assert "short-secret" not in said


WITHOUT = """
import sys
sys.modules["nicegui"] = None
from rectrace.cli import app
app({words})
"""


def test_without_its_extra_it_says_how_to_get_it() -> None:
    code = WITHOUT.format(words=["console"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "rectrace: `rectrace console` needs its pages: pip install 'rectrace[console]'\n"


HANGING = """
import asyncio, socket
from rectrace.console.asking import Asker
from rectrace.settings import Settings
server = socket.create_server(("127.0.0.1", 0))
asker = Asker(Settings(clickhouse=f"http://127.0.0.1:{server.getsockname()[1]}"))
async def ask():
    await asyncio.wait_for(asker.ask(lambda reader: reader.trace("r")), 0.5)
try:
    asyncio.run(ask())
except TimeoutError:
    asker.close()
    print("given up", flush=True)
"""


def test_a_question_that_hangs_does_not_hold_up_the_end() -> None:
    command = [sys.executable, "-c", HANGING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout
        assert process.stdout.readline() == "given up\n"
        assert process.wait(10) == 0
