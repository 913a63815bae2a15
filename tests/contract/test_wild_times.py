"""Times are what producers say: a batch that covers centuries is written like any other."""

import time

from schemas.parts import DeadLetter, InteractionRow
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Layout, migrate
from sinks.clickhouse.writer import ClickHouseSink

DAY_MS = 86_400_000


def test_a_batch_over_many_months_is_written(clickhouse: str, database: str) -> None:
    client = connect(clickhouse)
    migrate(client, Layout(database))
    sink = ClickHouseSink(client, database)
    now = int(time.time() * 1000)  # older ones would have outlived their retention
    times = [now + day * DAY_MS for day in range(0, 9_000, 30)]
    sink.write_dead_letters([DeadLetter("t", 0, n, at, b"", b"\xff", "empty", "$", "") for n, at in enumerate(times)])
    sink.write_interactions([InteractionRow("r", "i", "click", at, None, None, at) for at in times])
    for table in ("dead_letters", "interactions"):
        assert client.query(f"SELECT count() FROM {database}.{table} FINAL").result_rows == [(len(times),)]
