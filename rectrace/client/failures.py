"""What went wrong while publishing: counted always, logged now and then."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

LOG_EVERY: Final = 10.0  # seconds

_log = logging.getLogger("rectrace.client")


class Failures:
    """Counts failures and logs at most one message every `LOG_EVERY` seconds. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._logged_count = 0
        self._logged_at = -LOG_EVERY

    def add(self, error: object) -> None:
        """Count one event that was not published; error is what a person needs to see of it."""
        with self._lock:
            self.count += 1
            since = self.count - self._logged_count
            if not self._due():
                return
            self._logged_count = self.count
        name = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
        _log.warning("%d event(s) not published since the last such message; the last: %s%s", since, name, error)

    def warn(self, text: str) -> None:
        """Log what is odd about an event that was published."""
        with self._lock:
            due = self._due()
        if due:
            _log.warning(text)

    def _due(self) -> bool:
        now = self._clock()
        if now - self._logged_at < LOG_EVERY:
            return False
        self._logged_at = now
        return True
