"""Fits streams and sinks together, from settings. Who only asks ClickHouse imports database.py, and loads no Kafka."""

from rectrace.database import asking, clickhouse, journey, layout
from rectrace.kafka_admin import Partitions

__all__ = ["Partitions", "asking", "clickhouse", "journey", "layout", "ms"]


def ms(seconds: float) -> int:
    """Seconds of a setting as milliseconds."""
    return int(seconds * 1000)
