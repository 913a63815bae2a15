"""kill -9 between writing what is known and telling it, and two workers that both seal."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from tests.support.alert_receiver import Receiver, status_of
from tests.support.alert_traffic import Traffic, Wrong
from tests.support.database import Database
from tests.support.service import eventually

SCRIPT = Path(__file__).with_name("alert_process.py")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.hold = False
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def made(clickhouse: str, database: str) -> Iterator[Database]:
    with connect(clickhouse) as client:
        yield Database.create(client, database)


def tick(clickhouse: str, database: Database, receiver: Receiver, now: float) -> "subprocess.Popen[bytes]":
    command = [sys.executable, str(SCRIPT), clickhouse, database.name, receiver.url, str(now)]
    return subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"})


def done(process: "subprocess.Popen[bytes]") -> None:
    assert process.wait(60) == 0


def test_what_was_known_and_not_told_is_told_by_the_next_one(
    clickhouse: str, made: Database, receiver: Receiver
) -> None:
    store = ClickHouseAlerts(made.client, made.name)
    traffic = Traffic(made, int(time.time()) // 10 * 10 - 60)
    traffic.flow(1)
    done(tick(clickhouse, made, receiver, traffic.window + 15))

    traffic.flow(2, Wrong(ann_empty=1.0))
    receiver.hold = True
    killed = tick(clickhouse, made, receiver, traffic.window + 15)
    eventually(lambda: receiver.came, lambda: "a message")
    killed.kill()
    killed.wait()
    (known,) = [each for each in store.changed("sealed", 0, 9) if each.changes]
    assert store.delivered("am")["sealed"] < known.window  # written, sent perhaps, and not noted as told
    receiver.hold = False

    done(tick(clickhouse, made, receiver, traffic.window + 25))
    (alert,) = receiver.heard()
    assert '"SourceEmpty"' in alert[0]
    assert len(receiver.came) >= 2
    assert store.delivered("am")["sealed"] == known.window

    traffic.flow(3)
    receiver.hold = True
    killed = tick(clickhouse, made, receiver, traffic.window + 15)
    before = len(receiver.came)
    eventually(lambda: len(receiver.came) > before, lambda: "that it is over")
    killed.kill()
    killed.wait()
    receiver.hold = False
    done(tick(clickhouse, made, receiver, traffic.window + 16))
    assert sorted(status for _, _, status in receiver.heard()) == ["firing", "resolved"]
    assert {(labels, starts_at) for labels, starts_at, _ in receiver.heard()} == {alert[:2]}


def test_two_at_once_tell_one_story(clickhouse: str, made: Database, receiver: Receiver) -> None:
    traffic = Traffic(made, int(time.time()) // 10 * 10 - 70)
    for wrong in (Wrong(), Wrong(ann_empty=1.0), Wrong(ann_empty=1.0), Wrong(), Wrong(), Wrong()):
        traffic.flow(1, wrong)
        both = [tick(clickhouse, made, receiver, traffic.window + 15) for _ in range(2)]
        for each in both:
            done(each)
    assert len({(labels, starts_at) for labels, starts_at, _ in receiver.heard()}) == 1
    assert {status for _, _, status in receiver.heard()} == {"firing", "resolved"}
    last = [status_of(alert) for message in receiver.came for alert in message][-1]
    assert last == "resolved"
