"""`rectrace demo` as a person runs it: numbers on the screen, commands that work, nothing left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import browser

RECTRACE = [sys.executable, "-m", "rectrace"]
FREE_PORTS = ["--kafka-port", "0", "--clickhouse-port", "0", "--metrics-port", "0", "--console-port", "0"]


class Demo:
    """A running demo; what it prints goes to a file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.output = folder / "out.txt"
        self.data = folder / "data"
        command = [*RECTRACE, "demo", *FREE_PORTS, "--data", str(self.data), *options]
        env = {**os.environ, "RECTRACE_CONSOLE__MAX_TIME": "80"}  # seconds: two other tests may hold both cores
        with self.output.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)

    def text(self) -> str:
        return self.output.read_text()

    def clickhouse(self) -> str:
        return self.wait_for(r"ClickHouse on (http://\S+);", 60)

    def wait_for(self, pattern: str, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.text()):
                return found[1]
            assert self.process.poll() is None, self.text()
            time.sleep(0.2)
        raise AssertionError(f"no {pattern} within {seconds} s in: {self.text()}")

    def console(self) -> str:
        return self.wait_for(r"console on (http://\S+)", 60)

    def status(self) -> dict[str, str]:
        """The newest line of the traffic that tells of a request with a dropped item."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            file = self.data / "logs" / "traffic.jsonl"
            for line in reversed(file.read_text().splitlines()[:-1] if file.exists() else []):
                told: dict[str, str] = json.loads(line)
                if told.get("item"):
                    return told
            time.sleep(0.5)
        raise AssertionError(self.text())

    def ask(self, *words: str, code: int = 0) -> str:
        command = [*RECTRACE, *words, "--clickhouse", self.clickhouse()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def ask_until(self, wanted: str, *words: str, seconds: float = 90) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done = subprocess.run(
                [*RECTRACE, *words, "--clickhouse", self.clickhouse()], capture_output=True, text=True, check=False
            )
            if wanted in done.stdout:
                return done.stdout
            time.sleep(1)
        raise AssertionError(f"{wanted!r} never came: {done.stdout} {done.stderr}")


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


@pytest.mark.parametrize(("number", "console"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_stops_cleanly_with_and_without_the_console(tmp_path: Path, number: signal.Signals, console: bool) -> None:
    demo = Demo(tmp_path, "--rate", "20", *([] if console else ["--no-console"]))
    demo.status()
    started = children(demo.process.pid)
    assert len(started) == 4 + console
    demo.process.send_signal(number)
    assert demo.process.wait(40) == 0
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert ("console on" in demo.text()) is console


def test_an_unknown_fault_names_the_nearest() -> None:
    done = subprocess.run([*RECTRACE, "demo", "--fault", "source_emty"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "source_empty" in done.stderr


def test_faults_are_listed() -> None:
    done = subprocess.run([*RECTRACE, "demo", "--list-faults"], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") >= 16
    assert "filter_overdrop" in done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One in which nearly all is filtered out for one country. It takes most of a core: the tests that
    have no use for it stand above."""
    running = Demo(tmp_path_factory.mktemp("demo"), "--rate", "30", "--fault", "filter_overdrop")
    yield running
    running.process.terminate()
    running.process.wait(60)


def test_from_the_screen_to_the_story_of_one_item(demo: Demo) -> None:
    shown = demo.status()
    request_id, item, user = shown["request_id"], shown["item"], shown["user_id"]

    whole = demo.ask_until("served", "why", request_id)
    for stage in ("request", "retrieval", "merging", "filtering", "scoring", "ordering", "cutoff", "response"):
        assert stage in whole
    sentence = " ".join(demo.ask("why", request_id, "--item", item).split())
    assert re.search(r"brought it at rank \d+", sentence)
    assert shown["reason"] in sentence
    as_json = json.loads(demo.ask("why", request_id, "--json"))
    assert as_json["request_id"] == request_id
    assert as_json["n_served"] == len([each for each in as_json["candidates"] if each["position"]])

    assert request_id in demo.ask("requests", "--since", "5m", "--user", user)
    assert f"user {user}" in demo.ask("why", "--user", user, "--last")

    with urllib.request.urlopen(f"{demo.console()}/requests/{request_id}", timeout=30) as page:
        assert f"Request {request_id}" in page.read().decode()
    assert "nothing is known of request 'nobody'" in demo.ask("why", "nobody", code=1)
    answer = demo.ask_until("A candidate in", "item", item, "--since", "5m")
    assert "how it ended" in answer
    told = json.loads(demo.ask("item", item, "--since", "5m", "--json"))
    assert sum(ending["now"] for ending in told["endings"]) == told["candidacies"] <= told["requests"]

    rules = json.loads(demo.ask("rules", "pressure", "--since", "5m", "--json"))
    assert all(0 < placement["rule_pressure"] < 1 for placement in rules["placements"])
    assert {rule["rule"] for rule in rules["rules"] if rule["slot_share"]} >= {"boost_new_season", "boost_house_brand"}
    assert sum(rule["excluded"] for rule in rules["rules"] if rule["rule"] == "recall_2417") > 0
    assert any(rule["against"].get("bury_low_rated") for rule in rules["rules"]), "buried before they are boosted"


RULE = """
id: no-knits-first
owner: merchandising
severity: info
scope: item
when: position = 1 and category = 'Knits'
message: A knit is in the first place
"""


@pytest.mark.needs("chromium")
def test_every_page_of_the_console(demo: Demo, tmp_path: Path) -> None:
    """From an alert to the requests behind it, to whom it touches, to a rule about it, to trying a recommender."""
    item = demo.status()["item"]
    with browser(demo.console(), 1280) as (page, seen):

        def shown(name: str, *texts: str) -> None:
            for text in texts:
                page.wait_for_selector(f"text={text}")
            page.wait_for_selector("[role=status] .q-spinner", state="detached")
            assert page.evaluate("document.documentElement.scrollWidth") <= 1280
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)

        page.goto("/")
        page.wait_for_selector("text=Sealed until")
        page.wait_for_selector("a:has-text('ShortResponses')")  # the page looks again by itself
        shown("live", "Where candidates go", "requests/s")
        page.locator("a:has-text('ShortResponses')").first.click()
        page.wait_for_url(re.compile(r"/alerts/[0-9a-f]+"))
        shown("alert", "In its newest bad window", "Requests that show it")
        page.goto("/alerts")
        shown("alerts", "ShortResponses")

        page.goto("/requests?status=short&segment=country%3DDE")
        shown("requests")
        page.locator("tbody a.id").first.click()
        shown("request", "Where its candidates went", "All candidates")
        page.click("text=compare it with another")
        page.click("a:has-text('the nearest in time at its placement')")
        shown("compare", "What else differs", "Reasons")
        page.goto(f"/items/{item}")
        shown("item", "By segment", "Rules that touch it", "all of them")

        page.goto("/segments?metric=short")
        shown("segments", "good events lost")
        page.click("text=What is different about the short ones?")
        shown("different", "country=DE")
        page.goto("/experiments/ranker")
        shown("experiment", "control")

        page.goto("/rules/new")
        page.locator(".cm-content").fill(RULE.strip())
        page.click("text=Preview on the last hour")
        shown("rule", "Hits ")
        page.click("button:has-text('Publish')")
        page.fill("[aria-label='Why (is kept with the rule)']", "knits look odd there")
        page.locator("[role=dialog] button:has-text('Publish')").click()
        shown("published", "no-knits-first is published", "read back")
        page.goto("/rules/no-knits-first")
        shown("history", "knits look odd there")

        page.goto("/playground")
        shown("playground", "Similar items", "New arrivals")
        page.goto(f"/playground/similar-items?user={demo.status()['user_id']}&item={item}&ask=1")
        shown("asked", "of 12 slots", "all that is known of it")

        page.set_viewport_size({"width": 390, "height": 844})
        for address in ("/", "/alerts", "/compare", "/segments", "/experiments/ranker", "/rules", "/rules/new",
                        "/rules/no-knits-first", "/playground", "/playground?placement=home"):  # fmt: skip
            page.goto(address)
            page.wait_for_selector("[role=heading]")
            page.wait_for_selector("[role=status] .q-spinner", state="detached")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
    assert (seen.outside, seen.wrong) == ([], [])
