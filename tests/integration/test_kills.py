"""Kafka -> workers -> ClickHouse -> seal, with processes dying: every trace and every sealed count compared with the
topics. All schedules of this file run side by side; `uv run pytest -m long` runs them for minutes (test_kills_long.py).
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from rectrace.local.kafka_jvm import missing
from tests.kills.lab import SHORT, Place
from tests.kills.schedules import KAFKA, SHORT_TANSU
from tests.kills.side_by_side import SideBySide

SIDE_BY_SIDE = 4  # more of them, and on two busy cores a worker does not get its partitions in time
pytestmark = pytest.mark.timeout(900)  # the last ones wait for the first
SCHEDULES = {each.__name__: ("tansu", each) for each in SHORT_TANSU} | {
    f"{each.__name__} on Apache Kafka": ("kafka", each) for each in KAFKA
}
PARAMETERS = [
    pytest.param(name, marks=[pytest.mark.needs("kafka")] if where == "kafka" else [])
    for name, (where, _) in SCHEDULES.items()
]


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, broker: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SideBySide]:
    """All schedules of this file that were selected and can run here."""
    directory = tmp_path_factory.mktemp("kills")
    chosen = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module
    ]
    places = {"tansu": Place(broker, clickhouse, directory, broker_time=False)}
    if any(SCHEDULES[name][0] == "kafka" for name in chosen) and not missing():
        places["kafka"] = Place(request.getfixturevalue("apache_kafka").address, clickhouse, directory)
    schedules: dict[str, Callable[[], str]] = {
        name: partial(schedule, places[where], SHORT)
        for name, (where, schedule) in SCHEDULES.items()
        if name in chosen and where in places
    }
    side_by_side = SideBySide(schedules, SIDE_BY_SIDE)
    yield side_by_side
    side_by_side.close()


@pytest.mark.parametrize("name", PARAMETERS)
def test_nothing_lost_doubled_or_thinned(name: str, running: SideBySide) -> None:
    print(running.result(name))
