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

from benchmarks.day import TRACES, day
from rectrace import settings
from rectrace.local.clickhouse import start_clickhouse


def main() -> None:
    """Print how many requests, and the seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--rules", type=Path, nargs="+", default=[], help="files; default: those of rectrace")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as at, start_clickhouse(0, Path(at, "data"), Path(at)) as running:
        where = settings.load(clickhouse=running.url, database="backtest")
        with day(where, options.requests, TRACES) as client:
            (requests,) = client.query(f"SELECT count() FROM {where.database}.traces").result_rows[0]
            print(f"{requests:,} requests in a day", flush=True)
            command = [str(Path(sys.executable).with_name("rectrace")), "rules", "backtest", *map(str, options.rules)]
            command += ["--since", "24h", "--clickhouse", running.url]
            began = time.monotonic()
            subprocess.run(command, check=True, env={**os.environ, "RECTRACE_DATABASE": where.database})
            print(f"{time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
