"""Runs schedules side by side: most of their time is waiting for windows to end."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from tests.kills.lab import Form, Place

Schedule = Callable[[Place, Form], str]


class SideBySide:
    """Starts every schedule at once, `most` at a time, in the order given."""

    def __init__(self, schedules: Mapping[str, Callable[[], str]], most: int) -> None:
        self._executor = ThreadPoolExecutor(most, "schedule")
        self._futures: dict[str, Future[str]] = {
            name: self._executor.submit(schedule) for name, schedule in schedules.items()
        }

    def result(self, name: str) -> str:
        """What the schedule reported, when it is done; raises what it raised."""
        return self._futures[name].result()

    def close(self) -> None:
        """Start no more; wait for those that run."""
        self._executor.shutdown(wait=True, cancel_futures=True)
