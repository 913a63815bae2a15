"""A day of many requests, from a hundred seconds of the demo's: the same sealed counts, with requests of other ids."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from clickhouse_connect.driver.client import Client

from benchmarks.simulated import seconds, simulation
from rectrace import database
from rectrace.demo import world as worlds
from rectrace.demo.traffic import Traffic
from rectrace.settings import Settings
from sinks.clickhouse.seal import RUN_TABLES

DAY_S: Final = 86_400
BASE_S: Final = 100  # that are copied; a part of the day
SETTLES_S: Final = 30  # until they are sealed
AT_ONCE: Final = 24  # copies of an insert
SEED: Final = 7
FILLING_S: Final = 600.0  # one insert may take so long
TRACES: Final = ("sealed", "traces_runs")
ALL: Final = ("sealed", *RUN_TABLES)
_MOVED: Final = f"at + copy * {BASE_S} AS at"
_RENAMED: Final = "concat(request_id, '-', toString(copy)) AS request_id"
_TOLD: Final = {  # what a copy has otherwise than its original, beside the window
    "traces_runs": (_RENAMED, _MOVED),
    "violations_runs": (_RENAMED, _MOVED),
    "item_outcomes_runs": ("concat(example, '-', toString(copy)) AS example",),
}


@contextmanager
def day(where: Settings, requests: int, tables: tuple[str, ...], told: Mapping[str, str] = {}) -> Iterator[Client]:
    """A client of a database with so many requests in the day that ends now; it is gone afterwards.

    tables: that are filled; told: for a table, SQL of one more column that a copy has otherwise (`copy` numbers it).
    """
    start = int(time.time()) // BASE_S * BASE_S - DAY_S
    with simulation(where, start) as service:
        world = worlds.build(SEED, start)
        service.run(seconds(Traffic(world, requests / DAY_S, start), start), start + BASE_S + SETTLES_S)
        client = database.clickhouse(where, timeout=FILLING_S)
        for table in tables:
            _fill(client, f"{where.database}.{table}", start, [*_TOLD.get(table, ()), *filter(None, [told.get(table)])])
        yield client


def _fill(client: Client, table: str, start: int, told: list[str]) -> None:
    changed = ", ".join([f"window + copy * {BASE_S} AS window", *told])
    for first in range(1, DAY_S // BASE_S, AT_ONCE):
        last = min(first + AT_ONCE, DAY_S // BASE_S)
        client.command(
            f"INSERT INTO {table} SELECT * REPLACE ({changed}) FROM (SELECT * FROM {table} "
            f"WHERE window >= toDateTime({start}, 'UTC') AND window < toDateTime({start + BASE_S}, 'UTC')) "
            f"ARRAY JOIN range({first}, {last}) AS copy"
        )
