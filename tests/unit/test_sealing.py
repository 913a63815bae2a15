"""Sealing beside the loop: only by the owner, one tick at a time, and no failure stops it."""

import threading
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from schemas.errors import Unavailable
from streams.metrics import Metrics
from streams.sealing import Sealing


class Ticks:
    def __init__(self, do: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self._do = do

    def tick(self, now: float) -> None:
        self.count += 1
        self._do()


def sealing(ticks: Ticks) -> tuple[Sealing, CollectorRegistry]:
    registry = CollectorRegistry()
    return Sealing(ticks, Metrics(registry), away_pause=0, failed_pause=0), registry


def test_only_the_owner_seals() -> None:
    ticks = Ticks()
    subject, registry = sealing(ticks)
    subject.step(owned=False)
    subject.wait()
    assert (ticks.count, registry.get_sample_value("rectrace_sealing")) == (0, 0)
    subject.step(owned=True)
    subject.wait()
    assert (ticks.count, registry.get_sample_value("rectrace_sealing")) == (1, 1)


def test_one_tick_at_a_time() -> None:
    go_on = threading.Event()
    ticks = Ticks(lambda: assert_set(go_on))
    subject, _ = sealing(ticks)
    for _ in range(5):
        subject.step(owned=True)
    go_on.set()
    subject.wait()
    assert ticks.count == 1
    subject.step(owned=True)
    subject.wait()
    assert ticks.count == 2


def assert_set(event: threading.Event) -> None:
    assert event.wait(20)


@pytest.mark.parametrize(("error", "failed"), [(Unavailable("away"), None), (RuntimeError("a bug"), 1)])
def test_a_tick_that_fails_is_said_and_tried_again(
    error: Exception, failed: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    ticks = Ticks(fail)
    subject, registry = sealing(ticks)
    subject.step(owned=True)
    subject.wait()
    subject.step(owned=True)
    subject.wait()
    assert ticks.count == 2
    assert len(caplog.records) == 2
    assert registry.get_sample_value("rectrace_seals_total", {"outcome": "failed"}) == (failed and 2)
