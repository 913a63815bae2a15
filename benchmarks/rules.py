"""What rules cost, on one core: acting on a list of candidates, and judging what was served.

POLARS_MAX_THREADS=1 python -m benchmarks.rules
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # before polars is loaded

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from benchmarks.traffic import BRANDS, CATEGORIES
from benchmarks.watching import COUNTRIES, rule, watching
from rectrace.client.rules import RuleBook
from schemas.rules import Rule
from streams.rules.acting import Request, compile_items
from streams.rules.frames import CATALOG, TRACES
from streams.rules.judge import Judge

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
ACTIONS: tuple[dict[str, Any], ...] = (
    {"type": "boost", "delta": 0.1},
    {"type": "bury", "factor": 0.5},
    {"type": "exclude"},
    {"type": "pin"},
)
CANDIDATES, TRACED, SERVED = 200, 2_000, 20


def main() -> None:
    """Print a table."""
    draw = random.Random(1)
    entries = [entry(draw, number) for number in range(1_200)]
    for count in (50, 1_000):
        rules = [acting(draw, number) for number in range(count)]
        conditions, book = compile_items(rules), RuleBook(rules)
        chosen = pl.DataFrame(entries[:CANDIDATES], schema=CATALOG).with_columns(
            pl.Series("score", [draw.random() for _ in range(CANDIDATES)])
        )
        request = Request(NOW, placement="home", k=20, segments={"country": "DE"}, context={"season": "summer"})
        name = f"{count:,} acting rules, {CANDIDATES} candidates"
        show(f"{name}: conditions", lambda: conditions.matches(chosen, request), 1, "list")  # noqa: B023
        show(f"{name}: applied", lambda: book.apply(chosen, request), 1, "list")  # noqa: B023
    traces = pl.DataFrame([trace(draw, number) for number in range(TRACED)], schema=TRACES)
    catalog = pl.DataFrame(entries, schema=CATALOG)
    for count in (10, 100, 1_000):
        judge = Judge(watching(draw, number) for number in range(count))
        asked = traces.select(judge.columns)
        show(f"{count:,} watching rules, slates of {SERVED}", lambda: judge.judge(asked, catalog), TRACED, "trace")  # noqa: B023


def acting(draw: random.Random, number: int) -> Rule:
    """As merchandisers write them: a brand or a category, a price or an age, at times a country."""
    subject = draw.choice([f"brand = '{draw.choice(BRANDS)}'", f"category in ('{draw.choice(CATEGORIES)}', 'x')"])
    bound = draw.choice(
        [f"price > {draw.randint(5, 300)}", f"age_days < {draw.randint(1, 90)}", "number(attributes.rating) < 4"]
    )
    where = draw.choice(["", f" and segments.country = '{draw.choice(COUNTRIES)}'"])
    action = draw.choices(ACTIONS, (6, 2, 1, 1))[0]
    if action["type"] == "pin":
        action = {**action, "position": draw.randint(1, 20)}
    return rule(number, "item", f"{subject} and {bound}{where}", action=action, priority=draw.randint(0, 9))


def entry(draw: random.Random, number: int) -> dict[str, Any]:
    """One item of the catalogue."""
    return {
        "item": f"g{number}",
        "record_at": NOW - timedelta(days=1),
        "deleted": False,
        "title": f"title {number}",
        "brand": draw.choice(BRANDS),
        "category": draw.choice(CATEGORIES),
        "price": draw.uniform(5, 300),
        "available": True,
        "created_at": NOW - timedelta(days=draw.randint(0, 400)),
        "attributes": [{"key": "rating", "value": f"{draw.uniform(1, 5):.2f}"}, {"key": "season", "value": "summer"}],
    }


def trace(draw: random.Random, number: int) -> dict[str, Any]:
    """One request, answered."""
    served = [f"g{draw.randrange(1_200)}" for _ in range(SERVED)]
    return {
        "request_id": f"request-{number}",
        "at": NOW + timedelta(milliseconds=number),
        "responded_at": NOW + timedelta(milliseconds=number + 40),
        "placement": draw.choice(["home", "cart"]),
        "user_id": f"u{draw.randrange(4_000)}",
        "k": SERVED,
        "segments": [{"key": "country", "value": draw.choice(COUNTRIES)}, {"key": "device", "value": "ios"}],
        "experiments": [],
        "context": "{}",
        "missing": [],
        "responded": True,
        "served_by": "primary",
        "n_served": SERVED,
        "total_ms": draw.uniform(10, 1_000),
        "statuses": [],
        "conflicts": 0,
        "served": served,
        "scores": [draw.random() for _ in served],
        "model_ranks": list(range(1, SERVED + 1)),
        "sources": [["ann"] for _ in served],
        "stages": [],
    }


def show(name: str, run: Callable[[], Any], parts: int, part: str, times: int = 25) -> None:
    """Print the median and the slowest of some runs, and the median of what they took of the processor: on a machine
    that does other things, too, that is the number to compare."""
    run()
    took, worked = [], []
    for _ in range(times):
        start, busy = time.perf_counter(), time.process_time()
        run()
        took.append((time.perf_counter() - start) * 1e3)
        worked.append((time.process_time() - busy) * 1e3)
    each = f", {statistics.median(worked) * 1e3 / parts:.1f} µs a {part}" if parts > 1 else ""
    middle, busy = statistics.median(took), statistics.median(worked)
    print(f"{name:>55}: median {middle:8.2f} ms, slowest {max(took):8.2f} ms; processor {busy:8.2f} ms{each}")


if __name__ == "__main__":
    main()
