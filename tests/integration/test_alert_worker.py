"""Whole workers: one is killed while an alert fires, another takes over; to Alertmanager it is one alert."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.alert_receiver import Receiver
from tests.support.alert_traffic import HEALTHY, Wrong, requests
from tests.support.service import Service, eventually

RATE = 12  # requests in a window
THRESHOLDS = "SourceEmpty: {min_total: 10}\n"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def service(broker: str, clickhouse: str, tmp_path: Path, receiver: Receiver) -> Iterator[Service]:
    file = tmp_path / "alerts.yaml"
    file.write_text(THRESHOLDS)
    settings = {"RECTRACE_ALERTS__ALERTMANAGER": receiver.url, "RECTRACE_ALERTS__THRESHOLDS": str(file)}
    settings |= {"RECTRACE_ALERTS__RESEND": "1", "RECTRACE_ALERTS__LATE": "600"}
    with Service(broker, clickhouse, tmp_path, partitions=1, settings=settings) as running:
        yield running


def flow(service: Service, window: int, wrong: Wrong, *, now: bool = False) -> None:
    """Twelve requests, with record times of that window, or of now: a window that is over may be sealed as empty."""
    for part in requests(window, RATE, wrong):
        for event in part.events:
            at = None if now else event.record_at
            service.publish(service.stages, event.raw, key=part.request_id.encode(), at=at)


def is_over(service: Service, receiver: Receiver) -> bool:
    """Goes on with healthy traffic until it is."""
    flow(service, int(time.time()), HEALTHY, now=True)
    time.sleep(2)
    return len(receiver.heard()) == 2


def test_a_worker_dies_while_an_alert_fires(service: Service, receiver: Receiver) -> None:
    start = int(time.time()) // 10 * 10 - 90
    for number, wrong in enumerate([HEALTHY, Wrong(ann_empty=1.0), Wrong(ann_empty=1.0)]):
        flow(service, start + 10 * number, wrong)
    service.start_ready()
    eventually(receiver.heard, lambda: f"it fires{service.worker and service.worker.tail()}", 150)
    (fires,) = receiver.heard()
    assert '"SourceEmpty"' in fires[0]
    assert fires[1:] == (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + 10)), "firing")
    assert service.metric("rectrace_alerts", state="firing", severity="page") == 1

    assert service.worker is not None
    service.worker.kill()
    told = len(receiver.came)
    service.start_ready()
    eventually(lambda: len(receiver.came) > told + 1, lambda: "the next one says that it still fires")
    assert receiver.heard() == {fires}

    eventually(lambda: is_over(service, receiver), lambda: f"it is over: {receiver.heard()}", 120)
    assert receiver.heard() == {fires, (*fires[:2], "resolved")}
    assert service.metric("rectrace_alerts", state="firing", severity="page") == 0
    assert service.metric("rectrace_alert_evaluation_failures_total") == 0
