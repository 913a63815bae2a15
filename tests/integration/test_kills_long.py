"""The schedules of test_kills.py for many minutes and kills, one at a time: uv run pytest -m long"""

from pathlib import Path

import pytest

from rectrace.local.kafka_jvm import ApacheKafka
from tests.kills.lab import LONG, Place
from tests.kills.schedules import KAFKA, TANSU
from tests.kills.side_by_side import Schedule

pytestmark = [pytest.mark.long, pytest.mark.timeout(3_600)]


@pytest.mark.parametrize("schedule", TANSU, ids=lambda each: each.__name__)
def test_on_tansu(schedule: Schedule, broker: str, clickhouse: str, tmp_path: Path) -> None:
    print(schedule(Place(broker, clickhouse, tmp_path, broker_time=False), LONG))


@pytest.mark.needs("kafka")
@pytest.mark.parametrize("schedule", KAFKA, ids=lambda each: each.__name__)
def test_on_apache_kafka(schedule: Schedule, apache_kafka: ApacheKafka, clickhouse: str, tmp_path: Path) -> None:
    print(schedule(Place(apache_kafka.address, clickhouse, tmp_path), LONG))
