"""Child processes that start, become ready, stop in order and never outlive this process.

Each child's output goes to a log file; each error quotes its end. Children run in their own session, so Ctrl-C reaches
this process alone, which then stops them in its own order. If this process is killed (`kill -9`), the kernel kills the
children on Linux (see leash.py); elsewhere a watcher does within a tenth of a second.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rectrace.local.errors import LocalError

LEASH = Path(__file__).with_name("leash.py")
TAIL_LINES = 15

# The kernel counts the *thread* that started a child as its parent: one thread that lives as long as this process
# starts them all, else a child would die with a short-lived thread that happened to start it.
_starter = ThreadPoolExecutor(1, "child-starter")


class Child:
    """One started process. Use `start` to make one."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path, log_begin: int) -> None:
        self.name = name
        self.log = log
        self._log_begin = log_begin  # the file may hold earlier runs
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def wait_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Poll `ready` until it is true. Raises LocalError when the child ends first, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        pause = 0.002
        while self.exit_code is not None or not ready():  # in this order: another process may answer on its port
            if self.exit_code is not None:
                raise LocalError(f"{self.name} ended with exit code {self.exit_code} before it was ready{self.tail()}")
            if time.monotonic() > deadline:
                raise LocalError(f"{self.name} was not ready after {timeout:g} s{self.tail()}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def stop(self, patience: float = 10) -> None:
        """SIGTERM, then SIGKILL after `patience` seconds; reaps. Harmless on a child that has ended."""
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and reap."""
        if self.exit_code is None:
            os.killpg(self.pid, signal.SIGKILL)  # the group: where a watcher holds the leash, it and its command
        self._process.wait()

    def tail(self) -> str:
        """The end of its output, ready to append to a message."""
        try:
            written = self.log.read_bytes()[self._log_begin :]
        except OSError:
            return ""
        lines = written.decode(errors="replace").splitlines()[-TAIL_LINES:]
        if not lines:
            return " (no output)"
        return f"; the end of {self.log}:" + "".join(f"\n  {line}" for line in lines)


def start(name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Child:
    """Start `command` (an absolute path and its arguments) with its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = _starter.submit(_popen, list(command), output.fileno(), env).result()
        return Child(name, process, log, output.tell())


def _popen(command: list[str], output: int, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
    )
