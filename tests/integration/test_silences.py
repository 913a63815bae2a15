"""Silences of Alertmanager itself, and of servers that are none."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from rectrace.local.alertmanager import RunningAlertmanager, start_alertmanager
from rectrace.local.ports import LOOPBACK, free_port
from schemas.errors import Unavailable
from sinks.alertmanager import Connection
from sinks.silences import Matcher, Refused, Silence, Silences
from tests.support.webhook import Webhook

HERE = (Matcher("alertname", "SourceEmpty"), Matcher("placement", "home"), Matcher("segment", ""))


def wanted(*matchers: Matcher, why: str = "acknowledged: é", hours: float = 1) -> Silence:
    now = datetime.now(UTC)
    return Silence(matchers or HERE, now, now + timedelta(hours=hours), "ana", why)


@pytest.mark.needs("alertmanager")
def test_a_silence_from_its_begin_to_its_end(alertmanager: RunningAlertmanager) -> None:
    silences = Silences([alertmanager.url], 5)
    assert (silences.read().silences, silences.read().problems) == ([], [])
    given = wanted()
    assert silences.add(given) == []
    (active,) = silences.read().silences
    assert (active.state, active.by, active.why) == ("active", "ana", "acknowledged: é")
    assert set(active.matchers) == set(HERE)
    assert abs(active.ends - given.ends) < timedelta(seconds=1)
    assert silences.end(active) == []
    (expired,) = silences.read().silences
    assert expired.state == "expired"
    assert expired.ends < given.ends
    assert silences.end(Silence((), given.starts, given.ends, "", "", held=(("elsewhere", "x"),))) == []


@pytest.mark.needs("alertmanager")
def test_matchers_match_what_alertmanager_says_they_do(alertmanager: RunningAlertmanager) -> None:
    """Alertmanager's own word on which alerts are silenced, against ours."""
    values = ["home", "homepage", "cart", "küche", ""]
    matchers = [
        Matcher("placement", "home"), Matcher("placement", "home", equal=False), Matcher("placement", "ho.*", True),
        Matcher("placement", "(home|cart)", True, False), Matcher("placement", r"\pL{5}", True),
        Matcher("placement", ""),
    ]  # fmt: skip
    server = Connection(alertmanager.url, 5)
    server.ask(
        "POST", "alerts", [{"labels": {"alertname": "A", "n": str(n), "placement": v}} for n, v in enumerate(values)]
    )
    silences = Silences([alertmanager.url], 5)
    for n, matcher in enumerate(matchers):
        silences.add(wanted(Matcher("alertname", "A"), matcher, why=str(n)))
    by_id = {id_: each for each in silences.read().silences for _, id_ in each.held}
    told = json.loads(server.ask("GET", "alerts")[1])
    assert len(told) == len(values)
    for alert in told:
        ours = {each.why for each in by_id.values() if each.matches(alert["labels"])}
        assert ours == {by_id[id_].why for id_ in alert["status"]["silencedBy"]}


@pytest.mark.needs("alertmanager")
def test_what_alertmanager_refuses_is_told_with_its_reason(alertmanager: RunningAlertmanager) -> None:
    silences = Silences([alertmanager.url], 5)
    with pytest.raises(Refused, match=r"refuses the silence: .*at least one matcher must not match the empty string"):
        silences.add(wanted(Matcher("segment", "")))
    with pytest.raises(Refused, match=r"refuses the silence: .*"):
        silences.add(wanted(Matcher("segment", "(", regex=True)))
    assert silences.read().silences == []


@pytest.mark.needs("alertmanager")
def test_all_of_several_are_told_and_one_that_is_away_is_named(
    alertmanager: RunningAlertmanager, tmp_path: Path, hook: Webhook
) -> None:
    away = f"http://{LOOPBACK}:{free_port()}"
    with start_alertmanager(0, tmp_path / "second", hook.config) as second:
        silences = Silences([away, alertmanager.url, second.url], 5)
        (problem,) = silences.add(wanted())
        assert problem.startswith(f"alertmanager at {away} does not answer")
        kept = silences.read()
        (both,) = kept.silences
        assert [name for name, _ in both.held] == [alertmanager.url, second.url]
        assert kept.problems == [problem]
        assert silences.end(both) == []
        assert {each.state for each in silences.read().silences} == {"expired"}
    silences.add(wanted())
    (one,) = [each for each in silences.read().silences if each.state == "active"]
    (problem,) = silences.end(Silence(one.matchers, one.starts, one.ends, "", "", held=((away, "x"), *one.held)))
    assert away in problem


class Cluster(ThreadingHTTPServer):
    """Two names of one cluster of two, as Alertmanagers say it: what one is told the other has."""

    def __init__(self, body: bytes = b"") -> None:
        self.posted: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, told: object) -> None:
                data = body or json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                peers = [{"name": "a", "address": "x"}, {"name": "b", "address": "y"}]
                one = {"id": "1", "status": {"state": "active"}, "matchers": [], "createdBy": "ana", "comment": "c"}
                one |= {"startsAt": "2026-06-01T12:00:00.000Z", "endsAt": "2026-06-01T13:00:00.000Z"}
                self.answer({"cluster": {"status": "ready", "peers": peers}} if "status" in self.path else [one])

            def do_POST(self) -> None:
                outer.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer({"silenceID": "1"})

            def log_message(self, *args: object) -> None:
                pass

        super().__init__((LOOPBACK, 0), Handler)
        Thread(target=self.serve_forever, daemon=True).start()


def test_of_a_cluster_one_is_told() -> None:
    with Cluster() as cluster:
        urls = [f"http://{LOOPBACK}:{cluster.server_port}", f"http://localhost:{cluster.server_port}"]
        silences = Silences(urls, 5)
        assert silences.add(wanted()) == []
        assert len(cluster.posted) == 1
        (silence,) = silences.read().silences
        assert silence.held == ((urls[0], "1"), (urls[1], "1"))
        cluster.shutdown()


def test_what_is_no_alertmanager_is_told_to_be_none() -> None:
    for body in (b"<html>", b"{}", b"[1]"):
        with Cluster(body) as server:
            silences = Silences([f"http://{LOOPBACK}:{server.server_port}"], 5)
            (problem,) = silences.read().problems
            assert problem.endswith("is no Alertmanager")
            with pytest.raises(Unavailable, match="is no Alertmanager"):
                silences.add(wanted())
            server.shutdown()


def test_nobody_there() -> None:
    silences = Silences([f"http://{LOOPBACK}:{free_port()}"], 5)
    with pytest.raises(Unavailable, match=r"does not answer: .*Connection refused"):
        silences.add(wanted())
    assert not Silences([], 5)
