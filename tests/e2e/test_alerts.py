"""From a fault of the demo to a person and back: worker, ClickHouse, Alertmanager and a webhook, all real."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rectrace.local.alertmanager import RunningAlertmanager
from tests.support.webhook import Webhook

RECTRACE = [sys.executable, "-m", "rectrace"]
FREE_PORTS = ["--kafka-port", "0", "--metrics-port", "0"]
BEGINS, ENDS = 20, 60  # seconds from the start of the traffic


class Demo:
    """A running demo with a fault that ends."""

    def __init__(self, folder: Path, alertmanager: str) -> None:
        self._output = folder / "out.txt"
        fault = f"source_empty@{BEGINS}-{ENDS}"
        command = [*RECTRACE, "demo", *FREE_PORTS, "--clickhouse-port", "0", "--data", str(folder / "data")]
        command += ["--rate", "30", "--fault", fault, "--alertmanager", alertmanager, "--no-console"]
        with self._output.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    def text(self) -> str:
        return self._output.read_text()

    @property
    def clickhouse(self) -> str:
        return self.text().partition("ClickHouse on ")[2].partition(";")[0]

    def ask(self, *words: str) -> Any:
        done = subprocess.run(
            [*RECTRACE, *words, "--json", "--clickhouse", self.clickhouse], capture_output=True, check=True, timeout=60
        )
        return json.loads(done.stdout)


@pytest.fixture
def demo(tmp_path: Path, alertmanager: RunningAlertmanager) -> Iterator[Demo]:
    silence(alertmanager.url, placement="cart")
    running = Demo(tmp_path, alertmanager.url)
    yield running
    running.process.terminate()
    running.process.wait(60)


def silence(url: str, **labels: str) -> None:
    def at(seconds: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))

    matchers = [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()]
    body = {"matchers": matchers, "startsAt": at(-5), "endsAt": at(3600), "createdBy": "test", "comment": "known"}
    request = urllib.request.Request(
        f"{url}/api/v2/silences", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()


def wait_for(hook: Webhook, status: str, wanted: set[str], demo: Demo, seconds: float) -> None:
    """Until the dead source has this status at all of these placements."""
    deadline = time.monotonic() + seconds
    while {_where(alert) for alert in hook.alerts(status) if _is_covisit(alert)} < wanted:
        assert demo.process.poll() is None, demo.text()
        assert time.monotonic() < deadline, f"{status} never came: {hook.messages}\n{demo.text()}"
        time.sleep(0.5)


def _where(alert: Any) -> str:
    return str(alert["labels"]["placement"])


def _is_covisit(alert: Any) -> bool:
    return (alert["labels"]["alertname"], alert["labels"].get("component")) == ("SourceEmpty", "covisit")


@pytest.mark.timeout(600)
@pytest.mark.needs("alertmanager")
def test_a_source_dies_somebody_hears_of_it_and_that_it_is_over(demo: Demo, hook: Webhook) -> None:
    wait_for(hook, "firing", {"home", "product_page"}, demo, 180)
    fires = next(alert for alert in hook.alerts("firing") if _where(alert) == "home")
    assert fires["labels"]["severity"] == "page"
    assert "The source covisit at home returns nothing in" in fires["annotations"]["summary"]
    examples = fires["annotations"]["examples"].split()
    assert 3 <= len(examples) <= 5
    (told,) = [each for each in demo.ask("why", examples[0])["sources"] if each["source"] == "covisit"] or [None]
    assert told is None or told["retrieved"] == 0

    listed = demo.ask("alerts", "list", "--firing")
    assert {each["labels"]["placement"] for each in listed if each["alert"] == "SourceEmpty"} >= {
        "home",
        "product_page",
    }

    wait_for(hook, "resolved", {"home", "product_page"}, demo, 180)
    over = [alert for alert in hook.alerts("resolved") if _is_covisit(alert) and _where(alert) == "home"]
    assert {alert["startsAt"] for alert in over} == {fires["startsAt"]}
    # one message when it began and one when it ended, and of the silenced placement none
    assert len([alert for alert in hook.alerts("firing") if _is_covisit(alert) and _where(alert) == "home"]) == 1
    assert "cart" not in {_where(alert) for alert in [*hook.alerts("firing"), *hook.alerts("resolved")]}
    statuses = {each["status"] for each in demo.ask("alerts", "list") if each["alert"] == "SourceEmpty"}
    assert statuses == {"resolved"}
