"""The console in a real browser: from a list of requests to one request to why an item is not shown."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rectrace.local.ports import LOOPBACK, free_port
from rectrace.local.probes import http_answers
from rectrace.local.processes import start
from sinks.clickhouse.client import connect
from tests.support import changes
from tests.support.browser import browser

TIME = "from=2100-01-01T12:00:00Z&to=2100-01-01T12:01:00Z"
ANSWERED = "[role=status] .q-spinner"  # of a page that waits

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def console(clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a console on two minutes of requests, in the second of which a filter drops nearly all in one country."""
    name, port = "console_e2e", free_port()
    command = [sys.executable, "-m", "rectrace", "console", "--port", str(port), "--clickhouse", clickhouse]
    with connect(clickhouse) as client:
        client.command(f"DROP DATABASE IF EXISTS {name} SYNC")
        changes.create(client, name)
        child = start("the console", command, tmp_path_factory.mktemp("console") / "log", {"RECTRACE_DATABASE": name})
        try:
            child.wait_ready(lambda: http_answers(f"http://{LOOPBACK}:{port}/ready"), 90)
            yield f"http://{LOOPBACK}:{port}"
            assert not child.tail().count("Traceback"), child.tail()
        finally:
            child.stop()
            client.command(f"DROP DATABASE {name} SYNC")


@pytest.mark.parametrize("width", [1280, 390])
def test_from_requests_to_why_an_item_is_not_shown(console: str, tmp_path: Path, width: int) -> None:
    with browser(console, width) as (page, seen):

        def shown(name: str) -> None:
            """Answered, no wider than the screen, and a picture of it."""
            page.wait_for_selector(ANSWERED, state="detached")
            assert page.evaluate("scrollTo(0, 0), document.documentElement.scrollWidth") <= width
            page.screenshot(path=tmp_path / f"{name}-{width}.png", full_page=True)

        page.goto(f"/requests?{TIME}&segment=country%3DDE&status=empty")
        page.wait_for_selector("text=50 requests")
        shown("requests")
        page.click("th:has-text('request') >> nth=0")
        page.wait_for_url("**sort=request_id**")
        page.reload()
        first = page.locator("tbody a.id").first
        assert first.inner_text() == "r400"
        first.click()

        page.wait_for_url("**/requests/r400")
        page.wait_for_selector("text=served 0 of 3 slots in 52 ms, empty, short")
        assert page.locator("canvas").count() == 1
        page.fill("input[placeholder='Filter these rows']", "g7")
        page.wait_for_selector("text=1-1 of 1")
        page.wait_for_url("**find=g7")
        shown("request")

        page.keyboard.press("Escape")
        page.locator("h1, [aria-level='1']").first.click()
        page.keyboard.press("/")
        page.keyboard.type("g1")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/items/g1$"))
        page.goto(f"/items/g7?{TIME}&segment=country%3DDE")
        page.wait_for_selector("text=g7 is not shown: of its 100 candidacies 100% were dropped in filtering by region")
        shown("item")

        assert page.evaluate("document.body.classList.contains('body--dark')") is False
        page.click("[aria-label='Dark or light']")
        page.wait_for_selector("body.body--dark")
        page.reload()
        page.wait_for_selector("body.body--dark")
        page.wait_for_selector("canvas")
        shown("item-dark")
    assert (seen.outside, seen.wrong) == ([], [])
