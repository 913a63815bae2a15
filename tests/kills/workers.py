"""Worker processes as a test starts, watches and kills them."""

import os
import re
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from rectrace.local.ports import LOOPBACK, free_port
from rectrace.local.processes import Child, start
from tests.kills.proxy import ClickHouseProxy

READY = 90.0
STOP = 40.0


class WorkerProcess:
    """One `rectrace worker`, that may be killed and started again under its name."""

    def __init__(self, name: str, env: Mapping[str, str], log_dir: Path, proxy: ClickHouseProxy) -> None:
        self.name = name
        self.proxy = proxy
        self.kills = 0
        self.thawed = threading.Event()
        self._env = {key: value for key, value in os.environ.items() if not key.startswith("RECTRACE_")} | dict(env)
        self._log = log_dir / f"{name}.log"
        self._child: Child | None = None
        self._port = 0
        self._born = 0  # where this life's output begins

    @property
    def child(self) -> Child:
        assert self._child is not None, f"{self.name} was not started"
        return self._child

    @property
    def log(self) -> str:
        """All that it has written, over all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> "WorkerProcess":
        self._port, self._born = free_port(), len(self.log)
        command = [sys.executable, "-m", "rectrace", "worker", "--metrics-port", str(self._port)]
        self._child = start(self.name, command, self._log, self._env)
        return self

    def wait_ready(self) -> "WorkerProcess":
        """Until it is a member of the group and can write."""
        self.child.wait_ready(lambda: self._get("/ready") is not None, READY)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self.child.kill()
        self.kills += 1

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.child.stop(STOP)
        code = self.child.exit_code
        assert code is not None
        return code

    def freeze(self) -> None:
        self.thawed.clear()
        self.child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.child.signal(signal.SIGCONT)
        self.thawed.set()

    def wait_exit(self, timeout: float = READY) -> int:
        """Until it ends by itself."""
        deadline = time.monotonic() + timeout
        while (code := self.child.exit_code) is None:
            assert time.monotonic() < deadline, f"{self.name} still runs{self.child.tail()}"
            time.sleep(0.05)
        return code

    def metric(self, name: str) -> float:
        """The sum over all labels of one metric."""
        text = self._get("/metrics")
        assert text is not None, f"{self.name} does not answer for its metrics"
        families = list(text_string_to_metric_families(text))
        assert any(name.startswith(family.name) for family in families), f"{self.name} has no metric {name}"
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def numbers(self) -> str:
        """Offsets and what it holds, as its metrics say now."""
        names = ("rectrace_current_offset", "rectrace_committed", "rectrace_open", "rectrace_held", "rectrace_lag")
        lines = (self._get("/metrics") or "no answer").splitlines()
        return "\n".join(line for line in lines if line.startswith((*names, "rectrace_reading", "no answer")))

    def owned(self) -> list[str]:
        """The partitions that it said it was assigned last, in this life."""
        found = re.findall(r"assigned: (.*)", self.log[self._born :])
        return [] if not found or "standing by" in found[-1] else found[-1].split(", ")

    def rss(self) -> int:
        """Resident bytes now."""
        pages = Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}{path}", timeout=2) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return None
