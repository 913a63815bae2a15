"""Is anybody else at work on this machine? Linux."""

import time
from pathlib import Path
from typing import Final

IDLE: Final = 0.85  # share of all cores
LOOK: Final = 3.0  # seconds


def wait_until_idle(patience: float) -> bool:
    """Wait until the machine has nothing to do, at most so many seconds. False if it never was idle."""
    deadline = time.monotonic() + patience
    while idle_share(LOOK) < IDLE:
        if time.monotonic() > deadline:
            return False
    return True


def idle_share(seconds: float) -> float:
    """How idle all cores together are over the next seconds, 0 to 1."""
    before = _jiffies()
    time.sleep(seconds)
    idle, whole = (after - earlier for earlier, after in zip(before, _jiffies(), strict=True))
    return idle / whole if whole else 1.0


def _jiffies() -> tuple[int, int]:
    """Idle, and all."""
    user, nice, system, idle, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return idle + rest[0], user + nice + system + idle + sum(rest)
