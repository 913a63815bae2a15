"""Sealing beside the worker's loop: on a thread, while this worker owns the first partition."""

import logging
import threading
import time
from typing import Protocol

from schemas.errors import Unavailable
from streams.metrics import Metrics

log = logging.getLogger(__name__)


class Ticking(Protocol):
    """Seals what is due, as streams.sealer.Sealer does."""

    def tick(self, now: float) -> object:
        """Do what is due; now in epoch seconds. May take long and may raise `Unavailable`: it is called again."""
        ...


class Sealing:
    """One tick at a time. A tick that fails is logged and tried again later: it must not stop landing."""

    def __init__(self, sealer: Ticking, metrics: Metrics, away_pause: float = 2.0, failed_pause: float = 10.0) -> None:
        self._sealer = sealer
        self._metrics = metrics
        self._away_pause, self._failed_pause = away_pause, failed_pause  # seconds
        self._running: threading.Thread | None = None

    def step(self, owned: bool) -> None:
        """Start a tick if this worker seals and none is running."""
        self._metrics.sealing.set(owned)
        if owned and (self._running is None or not self._running.is_alive()):
            # a daemon: a stop does not wait for a seal, which may be abandoned at any statement
            self._running = threading.Thread(target=self._tick, name="seal", daemon=True)
            self._running.start()

    def wait(self) -> None:
        """Until no tick is running."""
        if self._running is not None:
            self._running.join()

    def _tick(self) -> None:
        try:
            self._sealer.tick(time.time())
        except Unavailable as error:
            log.warning("cannot seal: %s; trying again", error)
            time.sleep(self._away_pause)
        except Exception:  # rectrace_sealed_until_seconds and the log tell
            log.exception("sealing failed; trying again")
            self._metrics.seals.labels("failed").inc()
            time.sleep(self._failed_pause)
