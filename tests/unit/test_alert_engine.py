"""The engine between its ports, in memory."""

import logging

import pytest
from prometheus_client import CollectorRegistry

from schemas.alerts import STALE, AlertState, SealedWindow
from schemas.errors import Unavailable
from streams.alerts.engine import ASKING_S, FRESH_S, SKIP_S, AlertPolicy, Engine, in_order
from streams.alerts.text import Links
from streams.alerts.thresholds import Thresholds
from streams.metrics import Metrics
from tests.support.alert_store import MemoryAlertStore, MemoryNotifier, Scripted

T = 1_700_000_000
BAD = {T + 10 * n: {"home": 60 if n in (2, 3, 4) else 0} for n in range(12)}


class Bench:
    """Windows are sealed 15 s after their end."""

    def __init__(self) -> None:
        self.store = MemoryAlertStore()
        self.receiver = MemoryNotifier()
        self.registry = CollectorRegistry()
        self.engine = Engine(
            store=self.store,
            sources=[Scripted(BAD)],
            targets={"http://am": self.receiver},
            thresholds=Thresholds(),
            metrics=Metrics(self.registry),
            policy=AlertPolicy(late=60, hold=300, resend=60),
            links=Links("http://console", "http://grafana", "http://runbooks"),
        )

    def seal(self, *numbers: int, incomplete: bool = False, delay: float = 15) -> "Bench":
        for number in numbers:
            self.store.windows.append(SealedWindow(T + 10 * number, 1, incomplete))
            self.tick(T + 10 * (number + 1) + delay)
        return self

    def tick(self, now: float) -> None:
        self.receiver.now = now
        self.engine.tick(now)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    @property
    def told(self) -> list[str]:
        return [status for _, _, status in self.receiver.heard()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_firing_with_evidence_then_resolved(bench: Bench) -> None:
    bench.seal(*range(4))
    _, first = bench.receiver.sent[0]
    assert first.labels == {"alertname": "TooMany", "severity": "page", "service": "rectrace", "placement": "home"}
    assert first.starts_at == T + 20
    assert first.ends_at == T + 55 + 300
    assert first.annotations["summary"] == "60% of 100 at home"
    assert first.annotations["runbook_url"] == "http://runbooks/TooMany"
    assert first.annotations["alert_url"] == first.link == f"http://console/alerts/{first.fingerprint}"
    assert bench.metric("rectrace_alerts", state="firing", severity="page") == 1
    bench.seal(*range(4, 8))
    assert bench.told == ["firing", "resolved"]
    assert bench.receiver.sent[-1][1].ends_at == T + 80
    assert bench.metric("rectrace_alerts", state="firing", severity="page") == 0
    assert bench.metric("rectrace_alerts_evaluated_until_seconds") == T + 80
    assert bench.metric("rectrace_alert_evaluations_total", verdict="judged") == 8


def test_it_carries_what_changed_when_it_began_as_long_as_it_fires(bench: Bench) -> None:
    asked: list[tuple[str, int]] = []

    def explain(state: AlertState, window: int) -> str:
        asked.append((state.alert, window))
        return "filtering/stock drops more"

    bench.engine.explain = explain
    bench.seal(*range(8))
    assert asked == [("TooMany", T + 30)]
    told = {each.annotations.get("changed") for _, each in bench.receiver.sent if each.labels["alertname"] == "TooMany"}
    assert told == {"filtering/stock drops more"}


def test_while_nothing_explains_it_it_is_asked_again_for_a_minute_and_told_with_the_next_word(bench: Bench) -> None:
    asked: list[int] = []

    def explain(state: AlertState, window: int) -> str:
        asked.append(window)
        return "filtering/stock drops more" if window >= T + 50 else ""

    bench.engine.explain = explain
    bench.seal(*range(7))
    bench.tick(T + 140)
    told = [each.annotations.get("changed") for _, each in bench.receiver.sent]
    assert told[0] is None
    assert told[-1] == "filtering/stock drops more"
    assert asked == [T + 30, T + 40, T + 50]


def test_after_a_minute_it_is_asked_no_more(bench: Bench) -> None:
    asked: list[int] = []

    def explain(state: AlertState, window: int) -> str:
        asked.append(window)
        return ""

    bench.engine.explain = explain
    bench.engine.sources = [Scripted({T + 10 * number: {"home": 60} for number in range(12)})]
    bench.seal(*range(12))
    assert asked == [T + 10 * number for number in range(1, 8)]


def test_what_cannot_be_explained_is_told_all_the_same(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def explain(state: AlertState, window: int) -> str:
        raise Unavailable("ClickHouse is away")

    bench.engine.explain = explain
    assert bench.seal(*range(4)).told == ["firing"]
    assert "cannot say what changed for TooMany placement=home: ClickHouse is away" in caplog.text


def test_what_fires_is_sent_again_before_it_would_end_with_the_same_start_and_labels(bench: Bench) -> None:
    bench.seal(*range(4))
    for number in range(100):
        bench.tick(T + 60 + number * 10)
    sent = [each for _, each in bench.receiver.sent if each.labels["alertname"] == "TooMany"]
    assert {(each.starts_at, tuple(each.labels.items())) for each in sent} == {(T + 20, tuple(sent[0].labels.items()))}
    assert {each.annotations["examples"] for each in sent} == {"r-1 r-2"}
    ends = [each.ends_at for each in sent]
    times = [at for at, each in bench.receiver.sent if each.labels["alertname"] == "TooMany"]
    assert all(later < end for later, end in zip(times[1:], ends[:-1], strict=True))
    assert 15 <= len(sent) <= 20  # every minute, not at every look


def test_an_incomplete_window_neither_fires_nor_resolves(bench: Bench) -> None:
    bench.seal(0, 1, 2).seal(3, incomplete=True)
    assert bench.told == []
    bench.seal(4)
    assert bench.told == ["firing"]
    bench.seal(5, 6).seal(7, incomplete=True)
    assert bench.told == ["firing"]
    assert bench.seal(8).told == ["firing", "resolved"]
    assert bench.metric("rectrace_alert_evaluations_total", verdict="no_data") == 2


def test_a_window_sealed_again_is_not_judged_again(bench: Bench) -> None:
    bench.seal(0, 1)
    saved = dict(bench.store.evaluations["sealed"])
    bench.store.windows = [each._replace(run=2) for each in bench.store.windows]
    bench.tick(T + 40)
    assert bench.store.evaluations["sealed"] == saved


def test_windows_are_judged_in_order_and_wait_for_the_one_before(bench: Bench) -> None:
    bench.seal(0, 2, 3)
    assert list(bench.store.evaluations["sealed"]) == [T]
    bench.seal(1)
    assert list(bench.store.evaluations["sealed"]) == [T, T + 10, T + 20, T + 30]


def test_one_that_is_never_sealed_is_skipped_after_a_while() -> None:
    sealed = [SealedWindow(T + 20, 1, incomplete=False)]
    end = T + 20
    assert list(in_order(sealed, T, end + SKIP_S)) == []
    skipped, judged = in_order(sealed, T, end + SKIP_S + 1)
    assert (skipped.window, skipped.sealed, judged) == (T + 10, False, sealed[0])


def test_late_windows_page_nobody(bench: Bench) -> None:
    for number in range(6):
        bench.store.windows.append(SealedWindow(T + 10 * number, 1, incomplete=False))
    bench.seal(6)
    bench = Bench()
    bench.seal(0)
    for number in range(1, 6):
        bench.store.windows.append(SealedWindow(T + 10 * number, 1, incomplete=False))
    bench.tick(T + 200)
    assert [each.labels["alertname"] for _, each in bench.receiver.sent if each.labels["alertname"] == "TooMany"] == []
    assert bench.metric("rectrace_alert_evaluations_total", verdict="late") == 5


def test_ingest_that_lags_is_its_own_alert_and_the_others_keep_still(bench: Bench) -> None:
    bench.seal(*range(4))
    for at in range(60, 400, 10):
        bench.tick(T + at)
    told = [(each.labels["alertname"], at) for at, each in bench.receiver.sent]
    assert ("IngestLag", T + 120) in told
    assert bench.told == ["firing", "firing"]
    lag = next(each for _, each in bench.receiver.sent if each.labels["alertname"] == "IngestLag")
    assert "Nothing newer than" in lag.annotations["summary"]
    bench.store.windows += [SealedWindow(T + 10 * number, 1, incomplete=False) for number in range(4, 44)]
    for at in (450, 460, 470):
        bench.tick(T + at)
    assert bench.told == ["firing", "firing", "resolved", "resolved"]


def test_an_alert_that_is_switched_off_while_it_fires_ends(bench: Bench) -> None:
    bench.seal(*range(2))
    for at in range(40, 160, 10):
        bench.tick(T + at)
    assert bench.told == ["firing"]
    bench.engine.thresholds = Thresholds("file", {"IngestLag": {"enabled": False}})
    for at in range(160, 160 + 10 * STALE, 10):
        bench.tick(T + at)
    assert bench.told == ["firing", "resolved"]


@pytest.mark.parametrize("late", [30.0, 60.0, 600.0])
def test_there_is_no_lag_at_which_nobody_is_told_anything(late: float) -> None:
    for lag in range(20, 200, 20):
        bench = Bench()
        bench.engine.policy = AlertPolicy(late=late, hold=300, resend=60)
        for number in range(10):
            bench.seal(number, delay=lag)
        names = {each.labels["alertname"] for _, each in bench.receiver.sent}
        assert names, f"windows sealed {lag} s after their end: nobody is told of the bad ones, nor of the lag"


def test_alertmanager_away_is_counted_and_not_asked_all_the_time(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.seal(*range(3))
    bench.receiver.away = True
    with caplog.at_level(logging.WARNING):
        bench.seal(3)
        for tenth in range(60):
            bench.tick(T + 55 + tenth / 10)
    failures = bench.metric("rectrace_alert_notify_failures_total", target="http://am")
    assert failures is not None
    assert 1 <= failures <= 4
    assert "kept" in caplog.text
    bench.receiver.away = False
    bench.tick(T + 130)
    assert bench.told == ["firing"]


def test_while_the_store_is_away_what_fires_goes_on(bench: Bench) -> None:
    bench.seal(*range(4))
    bench.store.away = True
    before = len(bench.receiver.sent)
    with pytest.raises(Unavailable):
        bench.tick(T + 55 + 61)
    assert len(bench.receiver.sent) == before + 1


def test_a_worker_that_stood_still_does_not_say_that_something_still_fires(bench: Bench) -> None:
    bench.seal(*range(4))
    clock = iter([*[0.0] * 4, FRESH_S + 1, *[100.0] * 4, 101.0])  # the last of a tick: when it sends again
    bench.engine.monotonic = lambda: next(clock)
    sent = len(bench.receiver.sent)
    bench.tick(T + 55 + 60)  # meanwhile another one may have sealed, evaluated, and told that it is over
    assert len(bench.receiver.sent) == sent
    bench.tick(T + 55 + 61)
    assert len(bench.receiver.sent) == sent + 1


def test_alerts_wait_only_so_long_for_what_explains_them() -> None:
    bench, places, clock, asked = Bench(), ("cart", "home", "search"), [0.0], []
    bench.engine.sources = [Scripted({T + 10 * n: dict.fromkeys(places, 60 if n >= 2 else 0) for n in range(9)})]
    bench.engine.monotonic = lambda: clock[0]

    def explain(state: AlertState, window: int) -> str:
        clock[0] += ASKING_S * 0.6
        asked.append(state.labels["placement"])
        return "filtering/stock drops more"

    bench.engine.explain = explain
    bench.seal(*range(4))
    assert len(set(asked)) == len(asked) == 2
    told = {each.labels["placement"]: each for _, each in bench.receiver.sent}
    assert set(told) == set(places)
    assert {name for name, each in told.items() if each.annotations.get("changed")} == set(asked)
    assert told["home"].ends_at == T + 55 + int(2 * ASKING_S * 0.6) + 300, "from when it is sent"
    bench.seal(4, 5)
    assert sorted(asked) == sorted(places)


def test_one_that_is_away_for_days_takes_no_other_down(bench: Bench) -> None:
    bench.engine.targets = {"http://away": MemoryNotifier(away=True), "http://am": bench.receiver}
    bench.seal(*range(4))
    for number in range(1_100):  # tries, all in vain: 2 ** 1,100 is no float
        bench.tick(T + 100 + 70 * number)
    assert bench.receiver.sent[-1][0] == T + 100 + 70 * 1_099, "what fires is sent again and again"


def test_a_new_alertmanager_hears_what_fires_and_not_what_was(bench: Bench) -> None:
    bench.seal(*range(9))
    fresh = MemoryNotifier(now=T + 105)
    bench.engine.targets = {"http://am": bench.receiver, "http://new": fresh}
    bench.tick(T + 105)
    assert fresh.sent == []


def test_everything_is_told_to_every_alertmanager_though_one_is_away(bench: Bench) -> None:
    other = MemoryNotifier(away=True)
    bench.engine.targets = {"http://am": bench.receiver, "http://other": other}
    bench.seal(*range(9))
    assert bench.told == ["firing", "resolved"]
    other.away, other.now = False, T + 300
    bench.tick(T + 300)
    told = [(starts_at, status) for _, starts_at, status in other.heard()]
    assert told == [(T + 20, "firing"), (T + 20, "resolved")]
