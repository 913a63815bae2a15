"""How long `rectrace rules backtest` takes over a day of a million requests, with the rules that come with rectrace.

uv run python -m benchmarks.backtest [--requests 1000000]

A hundred seconds of the demo recommender's traffic, through the pipeline and the seal, copied under new request ids
into every hundred seconds of the day that follows; then the command, as people run it, in a process of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from benchmarks.simulated import seconds, simulation
from rectrace import settings, wiring
from rectrace.demo import world as worlds
from rectrace.demo.traffic import Traffic
from rectrace.local.clickhouse import start_clickhouse

DAY_S: Final = 86_400
BASE_S: Final = 100  # that are copied; a part of the day
SETTLES_S: Final = 30  # until they are sealed
AT_ONCE: Final = 24  # copies of an insert
SEED: Final = 7


def main() -> None:
    """Print how many requests, and the seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--rules", type=Path, nargs="+", default=[], help="files; default: those of rectrace")
    options = parser.parse_args()
    start = int(time.time()) // BASE_S * BASE_S - DAY_S
    with tempfile.TemporaryDirectory() as at, start_clickhouse(0, Path(at, "data"), Path(at)) as running:
        where = settings.load(clickhouse=running.url, database="backtest")
        with simulation(where, start) as service:
            world = worlds.build(SEED, start)
            service.run(seconds(Traffic(world, options.requests / DAY_S, start), start), start + BASE_S + SETTLES_S)
            requests = fill(wiring.clickhouse(where), where.database, start)
            print(f"{requests:,} requests in a day", flush=True)
            command = [str(Path(sys.executable).with_name("rectrace")), "rules", "backtest", *map(str, options.rules)]
            command += ["--since", "24h", "--clickhouse", running.url]
            began = time.monotonic()
            subprocess.run(command, check=True, env={**os.environ, "RECTRACE_DATABASE": where.database})
            print(f"{time.monotonic() - began:.1f} s")


def fill(client: Client, database: str, start: int) -> int:
    """Copy what is sealed of the hundred seconds from start (epoch seconds) on; returns the requests there are then."""
    renamed = f", concat(request_id, '-', toString(copy)) AS request_id, at + copy * {BASE_S} AS at"
    for table, told in (("sealed", ""), ("traces_runs", renamed)):
        for first in range(1, DAY_S // BASE_S, AT_ONCE):
            copies = range(first, min(first + AT_ONCE, DAY_S // BASE_S))
            client.command(
                f"INSERT INTO {database}.{table} SELECT * REPLACE (window + copy * {BASE_S} AS window{told}) FROM "
                f"(SELECT * FROM {database}.{table} WHERE window >= toDateTime({start}, 'UTC') "
                f"AND window < toDateTime({start + BASE_S}, 'UTC')) "
                f"ARRAY JOIN range({copies.start}, {copies.stop}) AS copy"
            )
    return int(client.query(f"SELECT count() FROM {database}.traces").result_rows[0][0])


if __name__ == "__main__":
    main()
