"""What a contender is asked to do, and what it says it did. Linux: CPU and memory are read from /proc."""

import gc
import os
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

SESSION_TIMEOUT: Final = 4.0  # seconds: a local broker makes a group wait for half of it before it gets its partitions
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One contender's work. It ends after all events, or `bound` seconds after its first if it may be cut short."""

    name: str
    kafka: str  # host:port,...
    topic: str
    partitions: int
    events: int
    traces: int
    bound: float
    result: str  # the file for the Result
    clickhouse: str = ""  # URL
    clickhouse_pid: int = 0  # 0: not on this machine
    database: str = "rectrace"
    seals: bool = False

    @property
    def events_per_trace(self) -> int:
        return self.events // self.traces


class Result(msgspec.Struct, kw_only=True):
    """What was measured, from the first record to the last. Bytes, seconds."""

    name: str
    events: int  # all that were seen
    traces: int  # whole ones; 0 where none are made
    timed_events: int  # those within `seconds`
    seconds: float
    cpu: float
    clickhouse_cpu: float | None = None
    rss: int = 0  # peak
    clickhouse_rss: int | None = None
    note: str = ""

    @property
    def events_rate(self) -> float:
        return self.timed_events / self.seconds if self.seconds else 0.0


class Stopwatch:
    """Measures one job in this process. `start` and `lap` may be called from any thread."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._started: tuple[float, float, float] | None = None
        self._stopped: tuple[float, float, float] | None = None
        self._skipped = self._timed = 0

    @property
    def running(self) -> bool:
        return self._started is not None

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started[0] if self._started else 0.0

    def start(self, skipped: int = 0) -> None:
        """The first record is here; `skipped` were done before anybody looked."""
        self._started, self._skipped = self._now(), skipped

    def lap(self, events: int) -> None:
        """So many events are done now, in all. The last lap counts."""
        self._stopped, self._timed = self._now(), events - self._skipped

    def report(self, events: int, traces: int = 0, note: str = "") -> None:
        """Write the result file."""
        if self._started is None or self._stopped is None:
            raise RuntimeError("nothing was measured")
        seconds, cpu, clickhouse_cpu = (
            after - before for before, after in zip(self._started, self._stopped, strict=True)
        )
        pid = self.job.clickhouse_pid
        result = Result(
            name=self.job.name,
            events=events,
            traces=traces,
            timed_events=self._timed,
            seconds=seconds,
            cpu=cpu,
            clickhouse_cpu=clickhouse_cpu if pid else None,
            rss=peak_memory(os.getpid()),
            clickhouse_rss=peak_memory(pid) if pid else None,
            note=note,
        )
        path = Path(self.job.result)
        path.with_suffix(".part").write_bytes(msgspec.json.encode(result))
        path.with_suffix(".part").rename(path)

    def _now(self) -> tuple[float, float, float]:
        pid = self.job.clickhouse_pid
        return time.monotonic(), time.process_time(), cpu_seconds(pid) if pid else 0.0


def this_job() -> Job:
    """The job that this process was started for. Garbage collection is set as the product sets it, for every peer."""
    gc.set_threshold(50_000, 20, 100)
    return msgspec.json.decode(sys.argv[1], type=Job)


def end() -> None:
    """End this process at once: what a peer does to stop is not measured, and can take long."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_memory(pid: int) -> int:
    """The highest resident size a process had, bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
