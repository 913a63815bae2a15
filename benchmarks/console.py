"""How long the console's pages take until their first view has its answer, over a day of a million requests.

uv run python -m benchmarks.console [--requests 1000000] [--times 5]

As a person has it: `rectrace console` in a process of its own, each page in the machine's Chromium, from the address
typed until the first of its questions is answered, and until nothing on it waits any more. A hundred seconds of the
demo's traffic, sealed, are copied into all of the day under new request ids; in 19 copies of 20 items have other names
where their outcomes are counted: over 20,000. Pages are of the last quarter of an hour, as they are where nobody asks
for another time; `1 d`: of the whole day. Goal: 1.5 s.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlencode

from clickhouse_connect.driver.client import Client
from playwright.sync_api import Page, sync_playwright

from benchmarks.day import ALL, day
from rectrace import settings
from rectrace.local.clickhouse import start_clickhouse
from rectrace.local.ports import LOOPBACK, free_port
from rectrace.local.probes import http_answers
from rectrace.local.processes import start
from schemas.parts import WINDOW_S
from tests.support.chromium import program

GOAL_S: Final = 1.5
WAITS: Final = "[role=status] .q-spinner"  # of a page without its answer
FAILED: Final = "Try again"  # what a page offers that has no answer
MOST_S: Final = 120
TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
COPIES: Final = 20  # of an item, under other names
RENAMED: Final = f"if(copy % {COPIES} = 0, item, concat(item, '-', toString(copy % {COPIES}))) AS item"


def main() -> None:
    """Print a table of Markdown, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5, help="visits of a page after the first; medians are of these")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as at, start_clickhouse(0, Path(at, "data"), Path(at)) as running:
        where = settings.load(clickhouse=running.url, database="console")
        with day(where, options.requests, ALL, {"item_outcomes_runs": RENAMED}) as client:
            pages = addresses(client, where.database)
            port = free_port()
            command = [sys.executable, "-m", "rectrace", "console", "--port", str(port), "--clickhouse", running.url]
            env = {**os.environ, "RECTRACE_DATABASE": where.database}
            child = start("the console", command, Path(at, "console.log"), env)
            try:
                child.wait_ready(lambda: http_answers(f"http://{LOOPBACK}:{port}/ready"), 60)
                visit(f"http://{LOOPBACK}:{port}", pages, options.times)
            finally:
                child.stop()


def addresses(client: Client, database: str) -> dict[str, str]:
    """What is looked at, by name."""
    (requests,), (items,) = (
        client.query(query.replace("$", database)).result_rows[0]
        for query in ("SELECT count() FROM $.traces", "SELECT uniqExact(item) FROM $.item_outcomes")
    )
    print(f"{requests:,} requests, {items:,} items in a day\n", flush=True)
    (request_id, item, end), *_ = client.query(
        f"SELECT request_id, served[1], window FROM {database}.traces WHERE n_served > 0 "
        f"AND window = (SELECT max(window) FROM {database}.traces) ORDER BY request_id LIMIT 1"
    ).result_rows
    usual, long = (_span(end, hours) for hours in (0.25, 24))
    return {
        "live": "/",
        "requests": f"/requests?{usual}",
        "requests, 1 d": f"/requests?{long}",
        "requests, empty, 1 d": f"/requests?{long}&status=empty",
        "one request": f"/requests/{request_id}",
        "item": f"/items/{item}?{usual}",
        "item, 1 d": f"/items/{item}?{long}",
        "segments": f"/segments?{usual}",
        "segments, 1 d": f"/segments?{long}",
        "different": f"/segments/different?{usual}&status=short",
        "experiments": f"/experiments?{usual}",
        "one experiment": f"/experiments/ranker?{usual}",
        "rules": f"/rules?{usual}",
        "alerts": "/alerts",
    }


def _span(end: datetime, hours: float) -> str:
    """The hours before the end of the newest window."""
    until = end + timedelta(seconds=WINDOW_S)
    return urlencode({"from": (until - timedelta(hours=hours)).strftime(TIME), "to": until.strftime(TIME)})


def visit(base: str, pages: dict[str, str], times: int) -> None:
    """Each page once, and so many times again."""
    print("| page | first visit, s | first view, s | all of it, s | goal |\n| - | - | - | - | - |", flush=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        page = browser.new_context(base_url=base, viewport={"width": 1280, "height": 844}).new_page()
        page.set_default_timeout(MOST_S * 1000)
        _seconds(page, "/requests/none")  # what every page loads: the browser keeps it
        for name, address in pages.items():
            (visit, _), *again = [_seconds(page, address) for _ in range(times + 1)]
            view, whole = (median(each) for each in zip(*again, strict=True))
            met = "met" if max(visit, view) < GOAL_S else "met but at first" if view < GOAL_S else "missed"
            print(f"| {name} | {visit:.2f} | {view:.2f} | {whole:.2f} | {met} |", flush=True)
        browser.close()


def _seconds(page: Page, address: str) -> tuple[float, float]:
    """Until its first answer is there, and until all are. Raises AssertionError where the page says that it failed."""
    began = time.monotonic()
    page.goto(address)
    page.wait_for_selector("[role=heading]")
    if waits := page.query_selector(WAITS):
        waits.wait_for_element_state("hidden")
    first = time.monotonic() - began
    page.wait_for_selector(WAITS, state="detached")
    whole = time.monotonic() - began
    if failed := [text for text in page.locator("[role=alert]").all_inner_texts() if FAILED in text]:
        raise AssertionError(f"{address}: {failed}")
    return first, whole


if __name__ == "__main__":
    main()
