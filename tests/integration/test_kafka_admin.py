"""The admin client where no broker answers."""

import threading

import pytest
from kafka.errors import KafkaError

from rectrace.kafka_admin import connect
from rectrace.local.ports import LOOPBACK, free_port
from streams.cluster import Cluster


def test_what_cannot_connect_leaves_no_thread_behind() -> None:
    nobody = f"{LOOPBACK}:{free_port()}"
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises((KafkaError, OSError)):
            connect(Cluster(nobody), timeout_ms=300)
    assert threading.active_count() == before
