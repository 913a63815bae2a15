"""Alertmanager itself, and servers that are none."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from rectrace.local.alertmanager import RunningAlertmanager, start_alertmanager
from rectrace.local.ports import LOOPBACK, free_port
from schemas.alerts import Notification, SealedWindow
from schemas.errors import Unavailable
from sinks.alertmanager import Alertmanager
from streams.alerts.engine import Engine
from streams.alerts.thresholds import Thresholds
from streams.metrics import Metrics
from tests.support.alert_store import MemoryAlertStore, Scripted
from tests.support.service import eventually
from tests.support.webhook import Webhook

NOW = int(time.time())
BEGAN = {"cart": 0, "home": 20}  # seconds from the first window


def notification(alert: str = "SourceEmpty", ends_in: int = 300, began: int = NOW - 20, **labels: str) -> Notification:
    every = {"alertname": alert, "severity": "page", "placement": "home", **labels}
    return Notification(
        "f1", every, {"summary": f"{alert} é"}, began, int(time.time()) + ends_in, "http://console/a?b=c"
    )


def ask(running: RunningAlertmanager, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{running.url}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


@pytest.mark.needs("alertmanager")
def test_firing_and_then_resolved_reach_a_person(alertmanager: RunningAlertmanager, hook: Webhook) -> None:
    sink = Alertmanager(alertmanager.url)
    sink.send([notification()])
    eventually(lambda: hook.names("firing") == ["SourceEmpty"], lambda: f"firing in {hook.messages}")
    (fires,) = hook.alerts("firing")
    assert fires["annotations"]["summary"] == "SourceEmpty é"
    assert fires["generatorURL"] == "http://console/a?b=c"
    for _ in range(3):
        sink.send([notification()])
    sink.send([notification(ends_in=-1)])
    eventually(lambda: hook.names("resolved") == ["SourceEmpty"], lambda: f"resolved in {hook.messages}")
    assert hook.names("firing") == ["SourceEmpty"]
    assert hook.alerts("resolved")[0]["startsAt"] == fires["startsAt"]


@pytest.mark.needs("alertmanager")
def test_alerts_of_one_placement_come_as_one_message(alertmanager: RunningAlertmanager, hook: Webhook) -> None:
    Alertmanager(alertmanager.url).send(
        [notification("SourceEmpty", component="ann"), notification("StageFailing"), notification(placement="cart")]
    )
    eventually(lambda: len(hook.alerts("firing")) == 3, lambda: f"three alerts in {hook.messages}")
    grouped = {message["groupLabels"]["placement"]: len(message["alerts"]) for message in hook.messages}
    assert grouped == {"home": 2, "cart": 1}


@pytest.mark.needs("alertmanager")
def test_a_silence_is_respected(alertmanager: RunningAlertmanager, hook: Webhook) -> None:
    ask(alertmanager, "/api/v2/silences", silence("placement", "home"))
    sink = Alertmanager(alertmanager.url)
    sink.send([notification(), notification("SourceEmpty", placement="cart")])
    eventually(lambda: len(hook.messages) == 1, lambda: f"one message in {hook.messages}")
    assert [alert["labels"]["placement"] for alert in hook.alerts("firing")] == ["cart"]
    states = {each["labels"]["placement"]: each["status"]["state"] for each in ask(alertmanager, "/api/v2/alerts")}
    assert states == {"home": "suppressed", "cart": "active"}


@pytest.mark.needs("alertmanager")
def test_odd_labels_are_made_to_fit_and_what_is_refused_keeps_nothing_back(
    alertmanager: RunningAlertmanager, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Alertmanager(alertmanager.url)
    sound = notification()
    odd = sound._replace(labels={**sound.labels, "experiment.ranker": "v2", "2nd": "x", "empty": ""})
    ended = notification("Backwards", ends_in=-100)
    backwards = ended._replace(starts_at=ended.ends_at + 500)
    sink.send([odd, backwards, notification("Sound")])
    assert "refused an alert for good" in caplog.text
    found = {each["labels"]["alertname"]: each["labels"] for each in ask(alertmanager, "/api/v2/alerts")}
    assert set(found) == {"SourceEmpty", "Sound"}
    assert found["SourceEmpty"]["experiment_ranker"] == "v2"
    assert found["SourceEmpty"]["_2nd"] == "x"
    assert "empty" not in found["SourceEmpty"]


@pytest.mark.needs("alertmanager")
def test_one_that_comes_later_hears_what_it_missed(tmp_path: Path, hook: Webhook) -> None:
    port = free_port()
    start = int(time.time()) // 10 * 10 - 60
    bad = {start + 10 * n: {"home": 60 if n > 1 else 0, "cart": 60 if n < 2 else 0} for n in range(6)}
    store, target = MemoryAlertStore(), Alertmanager(f"http://{LOOPBACK}:{port}")
    metrics = Metrics(CollectorRegistry())
    engine = Engine(store, [Scripted(bad)], {target.name: target}, Thresholds(), metrics)
    for window in bad:  # cart has been bad and good again, home is bad, and nobody answers
        store.windows.append(SealedWindow(window, 1, incomplete=False))
        engine.tick(window + 15.0)
    with start_alertmanager(port, tmp_path, hook.config) as running:
        engine.tick(time.time() + 120)  # past the time for which it is not asked again
        eventually(lambda: len(hook.alerts("resolved")) == 1, lambda: f"what is over in {hook.messages}")
        eventually(lambda: len(hook.alerts("firing")) == 2, lambda: f"what fires in {hook.messages}")
        told = {each["labels"]["placement"]: each["startsAt"][:19] for each in hook.alerts("firing")}
        began = {place: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start + ago)) for place, ago in BEGAN.items()}
        assert told == began
        assert [each["labels"]["placement"] for each in hook.alerts("resolved")] == ["cart"]
        assert [each["labels"]["placement"] for each in ask(running, "/api/v2/alerts")] == ["home"]


def silence(name: str, value: str) -> dict[str, Any]:
    def at(seconds: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))

    matcher = {"name": name, "value": value, "isRegex": False, "isEqual": True}
    return {"matchers": [matcher], "startsAt": at(-5), "endsAt": at(600), "createdBy": "test", "comment": "known"}


# --- without the real one


@pytest.fixture
def serve() -> Iterator[Callable[[int, bytes, float], str]]:
    """A server that gives one answer, after some seconds; its URL."""
    servers = []

    def made(status: int, body: bytes, wait: float = 0) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                time.sleep(wait)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://{LOOPBACK}:{server.server_port}"

    yield made
    for server in servers:
        server.shutdown()
        server.server_close()


def test_nobody_there() -> None:
    url = f"http://{LOOPBACK}:{free_port()}"
    with pytest.raises(Unavailable, match=rf"^alertmanager at {url} does not answer: .*Connection refused$"):
        Alertmanager(url).send([notification()])


def test_one_that_hangs(serve: Callable[..., str]) -> None:
    with pytest.raises(Unavailable, match=r"does not answer: .*timed out"):
        Alertmanager(serve(200, b"", wait=1), timeout=0.1).send([notification()])


def test_one_that_fails(serve: Callable[..., str]) -> None:
    url = serve(503, b"not   ready\n")
    with pytest.raises(Unavailable, match=rf"^alertmanager at {url} answers 503: not ready$"):
        Alertmanager(url).send([notification()])


def test_a_server_that_is_no_alertmanager(serve: Callable[..., str]) -> None:
    with pytest.raises(Unavailable, match="answers 404"):
        Alertmanager(serve(404, b"")).send([notification()])


def test_a_password_is_sent_and_never_shown() -> None:
    sink = Alertmanager("http://ops:se%2Fcret@am:9093")
    assert sink.name == "http://am:9093"
