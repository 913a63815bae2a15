"""Loggers that repeat themselves: with the broker away, its client logs some 70 lines a second."""

import logging
import time


class Seldom(logging.Filter):
    """Lets each message (by its template) through once in so many seconds, and says how many it held back."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.INFO or record.levelno >= logging.CRITICAL:
            return True
        key = (record.name, str(record.msg)[:60])
        now = time.monotonic()
        last, held = self._last.get(key, (-self._seconds, 0))
        if now - last < self._seconds:
            self._last[key] = (last, held + 1)
            return False
        self._last[key] = (now, 0)
        if held:
            record.msg = f"{record.msg} (and {held} like it since)"
        return True


def quieten(names: tuple[str, ...], seconds: float = 10.0) -> None:
    """Rate-limit the handlers' view of these loggers and all below them."""
    seldom = Seldom(seconds)

    def selected(record: logging.LogRecord) -> bool:
        return seldom.filter(record) if record.name.split(".")[0] in names else True

    for handler in logging.getLogger().handlers:
        handler.addFilter(selected)
