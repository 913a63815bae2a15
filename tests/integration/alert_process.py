"""One alert engine in a process of its own, to be killed: `alert_process.py CLICKHOUSE DATABASE ALERTMANAGER NOW`."""

import sys

from prometheus_client import CollectorRegistry

from sinks.alertmanager import Alertmanager
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from streams.alerts.engine import Engine
from streams.alerts.signals import BuiltIn
from streams.alerts.thresholds import Thresholds
from streams.metrics import Metrics


def main() -> None:
    """One tick, as the worker does it."""
    url, database, alertmanager, now = sys.argv[1:]
    store = ClickHouseAlerts(connect(url), database)
    target = Alertmanager(alertmanager, timeout=60)
    metrics = Metrics(CollectorRegistry())
    known = Thresholds()
    engine = Engine(store, [BuiltIn(store, known)], {"am": target}, known, metrics)
    engine.tick(float(now))


if __name__ == "__main__":
    main()
