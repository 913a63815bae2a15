"""Drives the policy of streams/windows.py against the store: one tick, called by the worker that owns partition 0."""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from schemas.parts import WINDOW_S, SealStatus
from streams.metrics import Metrics
from streams.ports import SealStore, TopicPartition
from streams.windows import Due, Plan, Windows

log = logging.getLogger(__name__)

RECENT_S: Final = 900  # what every tick looks at; all that has landed is looked at once a minute
EVERYTHING: Final = 0  # not the horizon: a backlog may be older
FULL_EVERY_S: Final = 60.0
LOOK_EVERY_S: Final = 5.0  # while no window has come to its end: for what came late, and for who is waited for
CLEAN_EVERY_S: Final = 600.0
MOST_A_TICK: Final = 50  # windows; the next tick asks first whether this worker still seals


@dataclass
class Sealer:
    """Seals what is due. partitions: every topic-partition that must have come as far as a window and exists now.

    Blocks; raises `schemas.errors.Unavailable` when ClickHouse or the broker is away (try again at the next tick).
    """

    store: SealStore
    policy: Windows
    partitions: Callable[[], Collection[TopicPartition]]
    metrics: Metrics
    monotonic: Callable[[], float] = time.monotonic
    _full_at: float = field(default=float("-inf"))
    _looked_at: float = field(default=float("-inf"))
    _landed_past: int = 0  # the window that all partitions had come to when was looked
    _clean_at: float = field(default=float("-inf"))

    def tick(self, now: float) -> int:
        """Seal what is due at `now` (epoch seconds); returns how many windows."""
        monotonic = self.monotonic()
        full = monotonic - self._full_at >= FULL_EVERY_S
        horizon = int(now - self.policy.horizon) // WINDOW_S * WINDOW_S
        if full:
            self.store.sweep(EVERYTHING)
        claimed = self.store.landed_until()
        landed = {partition: claimed.get(partition, 0) for partition in self.partitions()}
        landed_past = min(landed.values(), default=0) // 1000 // WINDOW_S
        if landed_past == self._landed_past and monotonic - self._looked_at < LOOK_EVERY_S and not full:
            return 0
        states = self.store.unsettled(EVERYTHING if full else max(EVERYTHING, int(now) - RECENT_S))
        status = self.store.status(horizon)
        plan = self.policy.plan(now, monotonic, landed, states, status.newest)
        self._seal_in_order(plan)
        self._report(plan, self.store.status(horizon) if plan.due or plan.empty else status)
        if len(plan.due) <= MOST_A_TICK:  # while there is more of a backlog, look again, and at all of it
            self._looked_at, self._landed_past = monotonic, landed_past
            self._full_at = monotonic if full else self._full_at
        self._clean(monotonic, horizon)
        return len(plan.due[:MOST_A_TICK])

    def _seal_in_order(self, plan: Plan) -> None:
        """Windows without rows in their turn too: whoever reads what is sealed, at any moment and after any crash, sees
        no window before the ones that come first."""
        start, last = plan.empty or (0, -WINDOW_S)
        now_due = plan.due[:MOST_A_TICK]
        for due in now_due:
            start = self._seal_empty(start, min(due.window - WINDOW_S, last))
            self._seal(due)
            start = max(start, due.window + WINDOW_S)
        if len(now_due) == len(plan.due):
            self._seal_empty(start, last)

    def _seal_empty(self, first: int, last: int) -> int:
        """Seal a range, if it is one; returns where what is left of it begins."""
        if first > last:
            return first
        self.store.seal_empty(first, last)
        return last + WINDOW_S

    def _seal(self, due: Due) -> None:
        started = self.monotonic()
        try:
            sealed = self.store.seal(due.window, incomplete=due.incomplete)
        except Exception:
            self.policy.failed(due.window, self.monotonic())
            self.metrics.seals.labels("abandoned").inc()
            raise
        self.policy.sealed(due.window)
        self.metrics.seals.labels("incomplete" if due.incomplete else "sealed").inc()
        self.metrics.seal_seconds.observe(self.monotonic() - started)
        log.debug("sealed window %s: %s rows, %s requests", due.window, sealed.rows, sealed.requests)

    def _clean(self, monotonic: float, horizon: int) -> None:
        if monotonic - self._clean_at >= CLEAN_EVERY_S:
            self._clean_at = monotonic
            self.store.clean(horizon)
            self.store.roll_up(horizon)

    def _report(self, plan: Plan, status: SealStatus) -> None:
        self.metrics.dirty_windows.set(plan.dirty)
        self.metrics.orphans.set(status.orphans)
        left = [due.window for due in [*plan.due[MOST_A_TICK:], *plan.held] if not due.again]
        if status.newest is not None:
            self.metrics.sealed_until.set(min([status.newest + WINDOW_S, *left]))
