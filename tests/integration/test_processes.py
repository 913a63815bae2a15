"""Child processes: ready, not ready, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rectrace.local import leash
from rectrace.local.errors import LocalError, PortInUse
from rectrace.local.ports import claim, free_port, start_on
from rectrace.local.probes import http_answers, kafka_answers
from rectrace.local.processes import Child, start

PATIENCE = 30.0
SLEEP = [sys.executable, "-c", "print('awake', flush=True); import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('awake', flush=True); time.sleep(600)",
]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[list[str]], Child]]:
    """Starts a command that is killed after the test."""
    children: list[Child] = []

    def starter(command: list[str]) -> Child:
        children.append(start("worker", command, tmp_path / "logs" / "worker.log"))
        return children[-1]

    yield starter
    for child in children:
        child.kill()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def awake(child: Child) -> None:
    child.wait_ready(lambda: "awake" in child.tail(), PATIENCE)


def test_a_child_that_ends_early_is_quoted(begin: Callable[[list[str]], Child]) -> None:
    child = begin([sys.executable, "-c", "print('no such setting: x'); raise SystemExit(3)"])
    with pytest.raises(LocalError, match=r"(?s)worker ended with exit code 3 .*worker\.log:\n  no such setting: x$"):
        child.wait_ready(lambda: False, PATIENCE)


def test_a_child_that_never_becomes_ready_is_quoted(begin: Callable[[list[str]], Child]) -> None:
    child = begin(SLEEP)
    awake(child)
    with pytest.raises(LocalError, match=r"(?s)worker was not ready after 0\.05 s; .*\n  awake$"):
        child.wait_ready(lambda: False, 0.05)


def test_a_command_that_is_not_there_is_named(begin: Callable[[list[str]], Child]) -> None:
    child = begin(["/no/such/command"])
    with pytest.raises(
        LocalError, match=r"(?s)exit code 1 .*\n  cannot run /no/such/command: No such file or directory$"
    ):
        child.wait_ready(lambda: False, PATIENCE)


def test_the_end_of_the_log_is_of_this_run_only(begin: Callable[[list[str]], Child]) -> None:
    for word in ("first", "second"):
        child = begin([sys.executable, "-c", f"print('{word}')"])
        assert wait_until(lambda child=child: child.exit_code == 0)  # type: ignore[misc]
        assert child.tail().endswith(f"\n  {word}")
        assert child.tail().count("\n") == 1
    assert child.log.read_text() == "first\nsecond\n"


def test_stop_asks_first_and_insists(begin: Callable[[list[str]], Child]) -> None:
    polite = begin(SLEEP)
    awake(polite)
    stubborn = begin(STUBBORN)
    awake(stubborn)
    polite.stop()
    assert polite.exit_code == -signal.SIGTERM
    stubborn.stop(patience=0.1)
    assert stubborn.exit_code == -signal.SIGKILL
    stubborn.stop()
    assert not alive(polite.pid)


def test_a_child_outlives_the_thread_that_started_it(begin: Callable[[list[str]], Child]) -> None:
    started: list[Child] = []
    thread = threading.Thread(target=lambda: started.append(begin(SLEEP)))
    thread.start()
    thread.join()
    (child,) = started
    awake(child)
    assert not wait_until_dead(child, 0.3)
    child.stop()


def wait_until_dead(child: Child, seconds: float) -> bool:
    try:
        child.wait_ready(lambda: False, seconds)
    except LocalError:
        return child.exit_code is not None
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_children_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    code = f"""
        import signal
        import time
        from pathlib import Path
        from rectrace.local.processes import start
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
        children = [start("c", command, Path({str(tmp_path)!r}) / "log") for command in ({SLEEP!r}, {STUBBORN!r})]
        print(*(child.pid for child in children), flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(alive(pid) for pid in pids)
        parent.send_signal(number)
    for pid in pids:
        assert wait_until(lambda pid=pid: not alive(pid))  # type: ignore[misc]


def watcher(command: list[str]) -> "subprocess.Popen[str]":
    """A command on the leash of systems without a death signal."""
    words = [sys.executable, "-I", "-S", leash.__file__, "--watch", str(os.getpid()), *command]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_a_watcher_passes_signals_and_exit_codes_on() -> None:
    with watcher([sys.executable, "-c", "raise SystemExit(7)"]) as process:
        assert process.wait(PATIENCE) == 7
    with watcher(SLEEP) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "awake\n"
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM


def test_a_watcher_ends_its_command_when_its_parent_is_gone() -> None:
    told = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    code = f"""
        import os, subprocess, sys
        command = [sys.executable, "-I", "-S", {leash.__file__!r}, "--watch", str(os.getpid())]
        subprocess.Popen([*command, sys.executable, "-c", {told!r}])
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert wait_until(lambda: not alive(pid))


# Ports and probes


def test_a_free_port_can_be_claimed_and_a_taken_one_is_named() -> None:
    class Quiet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/yes" else 503)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    port = claim(free_port())
    assert not http_answers(f"http://127.0.0.1:{port}/yes")
    assert not kafka_answers(port)
    with ThreadingHTTPServer(("127.0.0.1", port), Quiet) as server:
        threading.Thread(target=server.serve_forever).start()
        with pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{port} is in use .* --some-port"):
            claim(port, "--some-port")
        assert http_answers(f"http://127.0.0.1:{port}/yes")
        assert not http_answers(f"http://127.0.0.1:{port}/no")
        assert not kafka_answers(port)
        server.shutdown()


def test_a_free_port_that_somebody_takes_first_is_replaced_and_a_chosen_one_is_not() -> None:
    tried: list[int] = []

    def server(port: int) -> int:
        tried.append(port)
        if len(tried) < 3:
            raise PortInUse(f"127.0.0.1:{port}")
        return port

    assert start_on(0, "--port", server) == tried[2]
    tried.clear()
    with pytest.raises(PortInUse):
        start_on(free_port(), "--port", server)
    assert len(tried) == 1


def test_a_broker_answers(broker: str) -> None:
    assert kafka_answers(int(broker.rpartition(":")[2]))
