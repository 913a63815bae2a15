"""Alerts beside sealing: nothing about alerts can delay a seal or make one fail."""

import logging
import threading
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from schemas.errors import Unavailable
from streams.alerts.beside import WithAlerts
from streams.metrics import Metrics


class Ticks:
    """Counts, and does what a test wants of it."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._act = act

    def tick(self, now: float) -> object:
        self.count += 1
        return self._act()


def beside(sealer: Ticks, alerts: Ticks) -> tuple[WithAlerts, CollectorRegistry]:
    registry = CollectorRegistry()
    return WithAlerts(sealer, alerts, Metrics(registry)), registry


def raises(error: Exception) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


def test_alerts_are_evaluated_after_each_seal() -> None:
    sealer, alerts = Ticks(lambda: 3), Ticks()
    both, _ = beside(sealer, alerts)
    for _ in range(3):
        assert both.tick(0.0) == 3
        both.wait()
    assert (sealer.count, alerts.count) == (3, 3)


def test_where_nothing_is_sealed_they_are_evaluated_now_and_then() -> None:
    now = 100.0
    sealer, alerts = Ticks(lambda: 0), Ticks()
    both = WithAlerts(sealer, alerts, Metrics(CollectorRegistry()), monotonic=lambda: now)
    for _ in range(20):
        both.tick(0.0)
        both.wait()
        now += 1
    assert (sealer.count, alerts.count) == (20, 4)


def test_an_evaluation_that_hangs_delays_no_seal_and_is_not_started_twice() -> None:
    release = threading.Event()
    sealer, alerts = Ticks(lambda: 1), Ticks(release.wait)
    both, _ = beside(sealer, alerts)
    for _ in range(5):
        both.tick(0.0)
    assert (sealer.count, alerts.count) == (5, 1)
    release.set()
    both.wait()
    both.tick(0.0)
    both.wait()
    assert alerts.count == 2


@pytest.mark.parametrize("error", [Unavailable("ClickHouse is away"), RuntimeError("a bug")])
def test_an_evaluation_that_fails_fails_no_seal(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    sealer, alerts = Ticks(lambda: 1), Ticks(raises(error))
    both, registry = beside(sealer, alerts)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            both.tick(0.0)
            both.wait()
    assert (sealer.count, alerts.count) == (3, 1)  # it rests for a while
    assert registry.get_sample_value("rectrace_alert_evaluation_failures_total") == 1
    assert str(error) in caplog.text


def test_a_seal_that_fails_is_no_reason_not_to_look_for_lag() -> None:
    sealer, alerts = Ticks(raises(Unavailable("the broker is away"))), Ticks()
    both, _ = beside(sealer, alerts)
    with pytest.raises(Unavailable, match="the broker is away"):
        both.tick(0.0)
    both.wait()
    assert alerts.count == 1
