"""`rectrace demo` as a person runs it: numbers on the screen, commands that work, nothing left behind."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

RECTRACE = [sys.executable, "-m", "rectrace"]
FREE_PORTS = ["--kafka-port", "0", "--clickhouse-port", "0", "--metrics-port", "0", "--console-port", "0"]


class Demo:
    """A running demo; what it prints goes to a file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.output = folder / "out.txt"
        self.data = folder / "data"
        command = [*RECTRACE, "demo", *FREE_PORTS, "--data", str(self.data), *options]
        with self.output.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

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


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    running = Demo(tmp_path, *getattr(request, "param", ()))
    yield running
    running.process.terminate()
    running.process.wait(60)


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


@pytest.mark.parametrize("demo", [("--rate", "30", "--fault", "filter_overdrop")], indirect=True)
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    demo = Demo(tmp_path, "--rate", "20")
    demo.status()
    started = children(demo.process.pid)
    assert len(started) == 5
    demo.process.send_signal(number)
    assert demo.process.wait(40) == 0
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def test_without_the_console(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--rate", "20", "--no-console")
    demo.status()
    assert len(children(demo.process.pid)) == 4
    demo.process.terminate()
    assert demo.process.wait(40) == 0
    assert "console on" not in demo.text()


def test_an_unknown_fault_names_the_nearest() -> None:
    done = subprocess.run([*RECTRACE, "demo", "--fault", "source_emty"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "source_empty" in done.stderr


def test_faults_are_listed() -> None:
    done = subprocess.run([*RECTRACE, "demo", "--list-faults"], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") >= 16
    assert "filter_overdrop" in done.stdout
