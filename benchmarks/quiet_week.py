"""Who is woken for nothing? A week in which nothing is wrong, through the alert engine.

uv run python -m benchmarks.quiet_week [--rates 100 20] [--days 7] [--seed 11]

Half an hour of the demo recommender's healthy traffic runs through the pipeline and the seal (simulated.py); what was
sealed of it is the pool. Every ten seconds of the week are then the sum of windows drawn from the pool, as many as the
hour of the day needs: nights at 0.4 of the mean rate, evenings at 1.6. So counts vary as real ones do. In the
week: a new version of the ranker on day 3, an hour with three times the traffic on day 5 that comes and goes within ten
minutes, and from the first day to the last an ever greater share of requests (up to 30 %) out of a second pool: another
catalogue, other users. Three weeks before it have the same days without all that, for the alerts that compare weeks.
Told is what Alertmanager would have been sent. Goal: no page, and at most three tickets.
"""

import argparse
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from clickhouse_connect.driver.client import Client
from prometheus_client import CollectorRegistry

from benchmarks.detection import said
from benchmarks.simulated import Listener, seconds, simulation
from rectrace import alerting, settings, wiring
from rectrace.demo import world as worlds
from rectrace.demo.traffic import Traffic
from rectrace.local.clickhouse import start_clickhouse
from schemas.parts import WINDOW_S
from sinks.clickhouse.migrate import migrate
from streams.alerts.engine import AlertPolicy
from streams.metrics import Metrics

START: Final = 4_115_491_200  # 2100-06-01T00:00:00Z: nothing of it expires meanwhile
POOL_RATE: Final = 4.0  # requests a second
POOL_S: Final = 1_800
SKIPPED_S: Final = 60  # at both ends of the pool
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
PEAK: Final = 5 * DAY_S + 20 * HOUR_S  # seconds from the start
RAMP_S: Final = 600
DEPLOY: Final = 3 * DAY_S + 11 * HOUR_S
DRIFTED: Final = 0.3  # of the requests at the end
# What is summed by what. Of each table also window, run and tail.
SUMMED: Final = {
    "segment_metrics_runs": ("placement", "segment"),
    "stage_metrics_runs": ("placement", "stage", "component", "version"),
    "score_metrics_runs": ("placement", "component", "version", "spread"),
    "drop_metrics_runs": ("placement", "stage", "component", "reason"),
    "rule_hits_runs": ("rule", "version", "severity", "grouped"),
    "pressure_runs": ("placement",),
    "rule_pressure_runs": ("rule", "placement"),
}
OF_WEEKS: Final = ("segment_metrics_runs",)  # what alerts look at weeks later
WEEKS_BEFORE: Final = 3
POOLS: Final = ("pool_a", "pool_b")
WEEK: Final = "week"


def main() -> None:
    """Print what was told, by alert, a line each; then how much there was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[100.0, 20.0], help="requests a second, the mean")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as at, start_clickhouse(0, Path(at, "data"), Path(at)) as running:
        where = settings.load(clickhouse=running.url, database=WEEK)
        for number, name in enumerate(POOLS):
            fill_pool(where.model_copy(update={"database": name}), options.seed + number)
        for rate in options.rates:
            listener = week(where, rate, options.days, np.random.default_rng(options.seed))
            for told in listener.told:
                day, second = divmod(told.notification.starts_at - START, DAY_S)
                severity = told.notification.labels["severity"]
                print(f"{rate:g}/s, day {day}, {second / HOUR_S:.2f} h: {severity} {said(told)}", flush=True)
            counts = Counter(each.notification.labels["severity"] for each in listener.told)
            print(f"{rate:g}/s, {options.days} days: {counts['page']} pages, {counts['ticket']} tickets", flush=True)


def fill_pool(where: settings.Settings, seed: int) -> None:
    """Seal half an hour of healthy traffic, and leave the database."""
    with simulation(where, START, keep=True, alerts=False) as service:
        traffic = Traffic(worlds.build(seed, START), POOL_RATE, START)
        service.run(seconds(traffic, START), START + POOL_S)


def week(where: settings.Settings, rate: float, days: int, draw: np.random.Generator) -> Listener:
    """Everything that is told in the week."""
    client = wiring.clickhouse(where)
    client.command(f"DROP DATABASE IF EXISTS {WEEK} SYNC")
    migrate(client, wiring.layout(where))
    client.command(f"INSERT INTO {WEEK}.rules SELECT * FROM {POOLS[0]}.rules")
    client.command(
        f"CREATE TABLE {WEEK}.picks (window DateTime('UTC'), pool UInt8, base DateTime('UTC')) ENGINE = Memory"
    )
    now = float(START)
    listener = Listener(lambda: now)
    engine = replace(
        alerting.engine(where, client, Metrics(CollectorRegistry())),
        targets={"listener": listener},
        policy=AlertPolicy(late=float("inf")),
        monotonic=lambda: now,
    )
    for begin in range(-WEEKS_BEFORE * 7 * DAY_S, 0, HOUR_S):
        fill_hour(client, begin, rate, draw, OF_WEEKS)
    for begin in range(0, days * DAY_S, HOUR_S):
        fill_hour(client, begin, rate, draw, tuple(SUMMED))
        now = float(START + begin + HOUR_S)
        engine.tick(now)
    client.close()
    return listener


def fill_hour(client: Client, begin: int, rate: float, draw: np.random.Generator, tables: Sequence[str]) -> None:
    """The windows of an hour; begin: seconds from the start of the week."""
    picks = list(picked(begin, rate, draw))
    client.command(f"TRUNCATE TABLE {WEEK}.picks")
    client.insert("picks", picks, column_names=["window", "pool", "base"], database=WEEK)
    for table, (number, pool) in itertools.product(tables, enumerate(POOLS)):
        client.command(copied(client, table, SUMMED[table], pool, number, begin >= DEPLOY))
    client.command(
        f"INSERT INTO {WEEK}.sealed (window, run, tail, rows, requests, orphans, incomplete) "
        f"SELECT DISTINCT window, 1, 1, 1, 1, 0, false FROM {WEEK}.picks"
    )


def picked(begin: int, rate: float, draw: np.random.Generator) -> Iterator[tuple[int, int, int]]:
    """Window, pool and window of the pool, in epoch seconds: what each window of an hour is made of."""
    bases = np.arange(START + SKIPPED_S, START + POOL_S - SKIPPED_S, WINDOW_S)
    owed = 0.0
    for second in range(begin, begin + HOUR_S, WINDOW_S):
        # a number that follows the hour, and is not drawn: what varies are the counts of the windows drawn
        owed += intensity(second) * rate / POOL_RATE
        parts = int(owed)
        owed -= parts
        pools = draw.random(parts) < DRIFTED * max(second, 0) / (7 * DAY_S)
        for pool, base in zip(pools, draw.choice(bases, parts), strict=True):
            yield START + second, int(pool), int(base)


def intensity(second: int) -> float:
    """Of the mean rate, by seconds from the start: least at 5 in the morning, most at 17."""
    day = 1 - 0.6 * np.cos((second / DAY_S - 5 / 24) * 2 * np.pi)
    into = np.interp(second - PEAK, [0, RAMP_S, HOUR_S - RAMP_S, HOUR_S], [0.0, 1.0, 1.0, 0.0])
    return float(day * (1 + 2 * into))


def copied(client: Client, table: str, keys: tuple[str, ...], pool: str, number: int, deployed: bool) -> str:
    """The statement that sums what the windows of the hour are made of."""
    described = client.query(f"DESCRIBE TABLE {WEEK}.{table}").result_rows
    columns = {str(row[0]): str(row[1]) for row in described if row[0] not in ("window", "run", "tail", *keys)}
    sums = [f"{_total(kind)}({name})" for name, kind in columns.items()]
    new = (
        "if(component = 'ranker' AND version != '', 'next', version)" if deployed and "component" in keys else "version"
    )
    told = [new if key == "version" else key for key in keys]
    return (
        f"INSERT INTO {WEEK}.{table} (window, run, tail, {', '.join([*keys, *columns])}) "
        f"SELECT picks.window, 1, 1, {', '.join([*told, *sums])} FROM {WEEK}.picks AS picks "
        f"INNER JOIN (SELECT * FROM {pool}.{table.removesuffix('_runs')}) AS counted ON picks.base = counted.window "
        f"WHERE picks.pool = {number} GROUP BY picks.window, {', '.join(keys)}"
    )


def _total(kind: str) -> str:
    if kind.startswith("AggregateFunction"):
        return "quantilesTDigestMergeState(0.5, 0.95, 0.99)"
    return "sumMap" if kind.startswith("Map") else "sum"


if __name__ == "__main__":
    main()
