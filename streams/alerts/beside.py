"""Alerts beside sealing: after each tick of the sealer, on a thread of their own, so that nothing about alerts (a slow
query, an Alertmanager that hangs, a bug) can delay a seal or make one fail."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from schemas.errors import Unavailable
from streams.metrics import Metrics

log = logging.getLogger(__name__)

PAUSE_S: Final = 5.0  # after a failure
EVERY_S: Final = 5.0  # where nothing is sealed: lag grows, and Alertmanager wants to hear what fires


class Ticking(Protocol):
    """As the sealer and the engine do."""

    def tick(self, now: float) -> object:
        """Do what is due; now in epoch seconds."""
        ...


class WithAlerts:
    """The tick of a worker that seals: seal, then have alerts evaluated; also when sealing failed: then ingest lags.

    At once where something was sealed, else every few seconds: what it reads costs ClickHouse something. One evaluation
    at a time; a seal does not wait for it. monotonic: seconds.
    """

    def __init__(
        self, sealer: Ticking, alerts: Ticking, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sealer = sealer
        self._alerts = alerts
        self._metrics = metrics
        self._running: threading.Thread | None = None
        self._monotonic = monotonic
        self._not_before = float("-inf")
        self._next_at = float("-inf")

    def tick(self, now: float) -> object:
        """Raises what the sealer raises."""
        sealed: object = 0
        try:
            sealed = self._sealer.tick(now)
        finally:
            if sealed or self._monotonic() >= self._next_at:
                self._start()
        return sealed

    def wait(self) -> None:
        """Until no evaluation is running."""
        if self._running is not None:
            self._running.join()

    def _start(self) -> None:
        busy = self._running is not None and self._running.is_alive()
        present = self._monotonic()
        if busy:
            self._next_at = float("-inf")  # what has been sealed meanwhile is evaluated right after
        elif present >= self._not_before:
            self._next_at = present + EVERY_S
            # a daemon: a stop does not wait for it, which may be killed anywhere
            self._running = threading.Thread(target=self._evaluate, name="alerts", daemon=True)
            self._running.start()

    def _evaluate(self) -> None:
        try:
            self._alerts.tick(time.time())
        except Unavailable as error:
            self._pause()
            log.warning("cannot evaluate alerts: %s; trying again", error)
        except Exception:  # rectrace_alerts_evaluated_until_seconds and the log tell
            self._pause()
            log.exception("evaluating alerts failed; trying again")

    def _pause(self) -> None:
        self._metrics.alert_failures.inc()
        self._not_before = self._monotonic() + PAUSE_S
