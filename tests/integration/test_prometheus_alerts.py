"""Every alert about rectrace itself, by promtool: quiet, then firing in its exact words; what must not fire it; and
what the dashboard shows meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from dashboards.grafana.expand import ALL, Shown
from dashboards.grafana.promql import expand
from dashboards.prometheus import render
from dashboards.prometheus.alerts import ALERTS
from dashboards.queries.pipeline import EXPRESSIONS
from tests.support.promtool import FAULT, STEP, Fires, Firing, Gives, Series, check, gone, rising, run, steady, then

pytestmark = pytest.mark.needs("prometheus")

RULES: Final = render.HERE / render.RULES
BY_NAME: Final = {alert.name: alert for alert in ALERTS}
BEGAN: Final = FAULT * STEP
LAG: Final = 20  # seconds from the end of a window to its seal
STUCK: Final = STEP * (FAULT - 1) - LAG  # sealed until then, where nothing is sealed from the fault on
TARGET: Final = "http://alertmanager:9093"


def of(metric: str, worker: str = "w1", **labels: str) -> str:
    """A series of one worker."""
    every = {"job": "rectrace", "instance": f"{worker}:9464", **labels}
    return metric + "{" + ",".join(f'{name}="{value}"' for name, value in every.items()) + "}"


def events(metric: str, worker: str = "w1", **labels: str) -> str:
    return of(metric, worker, topic="rectrace.stages", **labels)


UP, UP2 = of("up"), of("up", "w2")
SEALING, SEALING2 = of("rectrace_sealing"), of("rectrace_sealing", "w2")
SEALED, SEALED2 = of("rectrace_sealed_until_seconds"), of("rectrace_sealed_until_seconds", "w2")
EVALUATED, EVALUATED2 = (of("rectrace_alerts_evaluated_until_seconds", worker) for worker in ("w1", "w2"))
LAG_OF_0 = events("rectrace_lag_records", partition="0")
FRESH_OF_1 = events("rectrace_ingest_freshness_seconds", "w2", partition="1")
DEAD = events("rectrace_dead_letters_total", reason="invalid")
CONSUMED, CONSUMED2 = (events("rectrace_records_consumed_total", worker) for worker in ("w1", "w2"))
FAILED, FAILED2 = (of("rectrace_insert_failures_total", worker, what="parts") for worker in ("w1", "w2"))
WRITTEN, WRITTEN2 = (of("rectrace_insert_seconds_count", worker, what="parts") for worker in ("w1", "w2"))
NOT_EVALUATED = of("rectrace_alert_evaluation_failures_total")
NOT_TOLD = of("rectrace_alert_notify_failures_total", target=TARGET)
NOT_COMMITTED = of("rectrace_commit_failures_total", "w2")
OPEN, UNWRITTEN = (of("rectrace_held_bytes", state=state) for state in ("open", "unwritten"))
PAUSED = of("rectrace_reading_paused")
RULES_FAILED, RULES_FAILED2 = of("rectrace_rules_failed"), of("rectrace_rules_failed", "w2")
CLOSED = of("rectrace_parts_closed_total", reason="complete")

HEALTHY: Final[Series] = {
    UP: steady(1),
    UP2: steady(1),
    SEALING: steady(1),
    SEALING2: steady(0),
    SEALED: rising(STEP, -LAG),
    SEALED2: steady(0),
    EVALUATED: rising(STEP, -LAG - 10),
    EVALUATED2: steady(0),
    CLOSED: rising(300),
    LAG_OF_0: steady(50),
    FRESH_OF_1: steady(2),
    DEAD: steady(0),
    CONSUMED: rising(15_000),
    CONSUMED2: rising(15_000),
    FAILED: steady(0),
    FAILED2: steady(0),
    WRITTEN: rising(15),
    WRITTEN2: rising(15),
    NOT_EVALUATED: steady(0),
    NOT_TOLD: steady(0),
    NOT_COMMITTED: steady(0),
    OPEN: steady(1e8),
    UNWRITTEN: steady(1e6),
    PAUSED: steady(0),
    RULES_FAILED: steady(0),
    RULES_FAILED2: steady(0),
}
STOPPED: Final[Series] = {
    name: then("1", "0") if name.startswith("up{") else gone(values.rpartition("x")[0])
    for name, values in HEALTHY.items()
}  # all workers


@dataclass(frozen=True)
class Case:
    """fault: what differs from a healthy day; fires: so many seconds after that; sound: what must not fire it."""

    alert: str
    fault: Series
    fires: int
    summary: str
    sound: tuple[Series, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()  # what fires at that time beside it


W1, W2 = {"instance": "w1:9464"}, {"instance": "w2:9464"}
CASES: Final = (
    Case(
        "RectraceDown", STOPPED, 120,
        "No worker of rectrace answers: 0 of its scrapes came back.",
        ({UP: then("1", "0")}, {UP: then("1", "0"), UP2: f"1x79 0 1 {'0 0 0 1 ' * 40}"}),
    ),
    Case(
        "RectraceWorkerDown", {UP2: then("1", "0")}, 600,
        "Worker w2:9464 answered 0% of its scrapes in ten minutes.",
        ({UP2: f"1x79 {'1 0 1 ' * 50}"}, {UP2: f"{then('1', '0')[:-3]}10 stale"}),
        W2,
    ),
    Case(
        "RectraceNobodySeals", {SEALING: then("1", "0"), SEALED: then(f"{-LAG}+15", str(STUCK))}, 180,
        "Workers that answer: 2. None of them seals.",
        ({SEALING: then("1", "0"), SEALING2: then("0", "1")}, STOPPED),
    ),
    Case(
        "RectraceManySeal", {SEALING2: then("0", "1")}, 600,
        "2 workers seal at once.",
        ({SEALING2: "0x79 1x30 0x160"},),
    ),
    Case(
        "RectraceSealStalled",
        {SEALED: then(f"{-LAG}+15", str(STUCK)), EVALUATED: then(f"{-LAG}+15", str(STUCK))}, 360,
        "The newest sealed window ended 6m 35s ago.",
        (
            {SEALED: then(f"{-LAG}+15", str(STUCK)), SEALED2: then("0", f"{BEGAN}+15")},
            {SEALED: f"{-LAG}+15x79 {STUCK}x20 {BEGAN + 300}+15x140"},
        ),
    ),
    Case(
        "RectraceSealStalled", {SEALED: steady(0), EVALUATED: steady(0), CLOSED: then("0", "0+300")}, 390,
        "Requests come, and no window has been sealed since the workers started.",
        ({SEALED: steady(0), EVALUATED: steady(0), CLOSED: steady(0)},),
    ),
    Case(
        "RectraceLagGrows", {LAG_OF_0: then("50", "70000+500")}, 1_200,
        "110000 records wait to be read, more than ten minutes ago.",
        ({LAG_OF_0: then("50", "200000-500")}, {LAG_OF_0: then("50", "20000+100")}, {LAG_OF_0: then("0", "0+5")}),
    ),
    Case(
        "RectracePartitionStale", {FRESH_OF_1: then("2", "130+15")}, 300,
        "What has landed of partition 1 of rectrace.stages is 7m 10s old.",
        ({FRESH_OF_1: "2x79 130+15x15 2x160"},),
        {"topic": "rectrace.stages", "partition": "1"},
    ),
    Case(
        "RectraceAlertsStalled", {EVALUATED: then(f"{-LAG}+15", str(STUCK))}, 300,
        "Alerts are evaluated 5m 15s behind what is sealed.",
        (
            {SEALED: then(f"{-LAG}+15", str(STUCK)), EVALUATED: then(f"{-LAG}+15", str(STUCK))},
            {EVALUATED: then(f"{-LAG}+15", str(STUCK)), EVALUATED2: then("0", f"{BEGAN}+15")},
        ),
    ),
    Case(
        "RectraceAlertsStalled", {SEALED: then("0", f"{BEGAN}+15"), EVALUATED: steady(0)}, 120,
        "Windows are sealed, and alerts have not been evaluated since the workers started.",
        ({SEALED: steady(0), EVALUATED: steady(0), CLOSED: steady(0)},),
    ),
    Case(
        "RectraceAlertsFailing", {NOT_EVALUATED: then("0", "0+1")}, 660,
        "40 evaluations of alerts failed in ten minutes, and were repeated.",
        ({NOT_EVALUATED: "0x79 1 2 3x160"},),
    ),
    Case(
        "RectraceNotificationsFailing", {NOT_TOLD: then("0", "0+1")}, 225,
        f"15 times in five minutes {TARGET} could not be told of alerts.",
        ({NOT_TOLD: "0x79 1 2x160"},),
        {"target": TARGET},
    ),
    Case(
        "RectraceDeadLettersStop", {DEAD: then("0", "0+6000")}, 150,
        "40% of what worker w1:9464 reads are dead letters; it stops at 50% and 1,000 in 60 s.",
        ({DEAD: then("0", "0+3000")}, {CONSUMED: rising(100), DEAD: then("0", "0+90")}),
        W1,
    ),
    Case(
        "RectraceClickhouseAway",
        {
            FAILED: then("0", "0+3"), FAILED2: then("0", "0+3"), NOT_EVALUATED: then("0", "0+1"),
            WRITTEN: then("0+15", "1185"), WRITTEN2: then("0+15", "1185"),
        },
        240,
        "96 writes to ClickHouse failed in five minutes, none succeeds, and alerts are not evaluated.",
        (
            {FAILED: then("0", "0+3"), NOT_EVALUATED: then("0", "0+1"), WRITTEN: then("0+15", "1185")},
            {FAILED: then("0", "0+3"), WRITTEN: then("0+15", "1185"), WRITTEN2: then("0+15", "1185")},
        ),
    ),
    Case(
        "RectraceInsertFailures", {FAILED2: then("0", "0+1")}, 690,
        "40 writes of worker w2:9464 failed in ten minutes, and were repeated.",
        ({FAILED2: "0x79 1 2 3 4 5x160"},),
        W2,
    ),
    Case(
        "RectraceCommitFailures", {NOT_COMMITTED: then("0", "0+1")}, 690,
        "40 commits of worker w2:9464 to Kafka failed in ten minutes.",
        ({NOT_COMMITTED: "0x79 1 2 3 4 5x160"},),
        W2,
    ),
    Case(
        "RectraceMemoryHigh", {OPEN: then("100000000", "240000000")}, 300,
        "93.75% of the memory for open events of worker w1:9464 is taken.",
        ({UNWRITTEN: then("1000000", "160000000")}, {OPEN: "100000000x79 240000000x15 100000000x160"}),
        {**W1, "state": "open"},
    ),
    Case(
        "RectraceMemoryHigh", {UNWRITTEN: then("1000000", "168000000")}, 300,
        "87.5% of the memory for unwritten events of worker w1:9464 is taken.",
        ({OPEN: then("1000000", "168000000")},),
        {**W1, "state": "unwritten"},
    ),
    Case(
        "RectraceReadingPaused", {PAUSED: then("0", "1")}, 600,
        "Worker w1:9464 has waited with reading for 100% of ten minutes.",
        ({PAUSED: "0x79 1x15 0x160"},),
        W1,
    ),
    Case(
        "RectraceRulesFailing", {RULES_FAILED: then("0", "2")}, 300,
        "2 rules in force cannot judge what is served.",
        ({RULES_FAILED2: then("0", "2")},),
    ),
)  # fmt: skip


def annotations(case: Case) -> dict[str, str]:
    variables = "".join(f"var-{label}={quote(case.labels[label], safe='')}&" for label in BY_NAME[case.alert].by)
    return {
        "summary": case.summary,
        "description": BY_NAME[case.alert].look[0],
        "runbook_url": f"dashboards/prometheus/RUNBOOK.md#{case.alert.lower()}",
        "dashboard_url": f"http://localhost:3000/d/rectrace-pipeline?{variables}from=now-3h&to=now",
    }


def test_there_is_a_case_for_every_alert() -> None:
    assert {case.alert for case in CASES} == set(BY_NAME)
    assert all(case.sound for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.fires}")
def test_quiet_the_minute_before_and_then_firing(case: Case, tmp_path: Path) -> None:
    at = BEGAN + case.fires
    labels = {"severity": BY_NAME[case.alert].severity, "service": "rectrace", **case.labels}
    fires = Fires(case.alert, at, labels, annotations(case))
    firing = Firing(at, dict.fromkeys((case.alert, *case.also), 1))
    check(RULES, {**HEALTHY, **case.fault}, [Fires(case.alert, at - 60), fires, firing], tmp_path)


@pytest.mark.parametrize(
    ("case", "sound"),
    [(case, sound) for case in CASES for sound in case.sound],
    ids=[f"{case.alert}-{number}" for case in CASES for number, _ in enumerate(case.sound)],
)
def test_what_must_not_fire_it(case: Case, sound: Series, tmp_path: Path) -> None:
    times = range(BEGAN, BEGAN + max(2 * case.fires, 1_200), 60)
    check(RULES, {**HEALTHY, **sound}, [Fires(case.alert, at) for at in times], tmp_path)


def test_on_a_healthy_day_nothing_fires(tmp_path: Path) -> None:
    check(RULES, HEALTHY, [Firing(at, {}) for at in range(60, 3_600, 60)], tmp_path)


def test_where_nothing_is_scraped_it_is_down(tmp_path: Path) -> None:
    check(RULES, {}, [Firing(60, {}), Firing(120, {"RectraceDown": 1})], tmp_path)


def test_that_dead_letters_stop_it_is_still_known_when_it_has_stopped(tmp_path: Path) -> None:
    """Then Alertmanager keeps back what follows."""
    ends = {name: f"{values} stale" for name, values in HEALTHY.items()}
    series = {name: values.replace("x240", "x90") for name, values in ends.items()}
    series |= {UP: "1x90 0x150", UP2: "1x90 0x150", DEAD: "0x79 0+6000x10 stale"}
    stopped = 90 * STEP
    expected = [Firing(stopped, {"RectraceDeadLettersStop": 1})]
    expected += [Firing(stopped + 300, {"RectraceDeadLettersStop": 1, "RectraceDown": 1})]
    check(RULES, series, expected, tmp_path)


EVERYTHING: Final = Shown(0, 3_600, STEP, dict.fromkeys(("instance", "topic", "partition", "state", "target"), ALL))
OF_W1, OF_W2 = '{instance="w1:9464"}', '{instance="w2:9464"}'
FULL: Final = '{alertname="RectraceMemoryHigh",alertstate="firing",instance="w1:9464",severity="ticket",state="open"}'


@pytest.mark.parametrize(
    ("name", "fault", "values"),
    [
        ("workers", {UP2: then("1", "0")}, {"rectrace:workers_up:sum": 1}),
        ("sealing", {SEALING: then("1", "0")}, {"rectrace:sealing:sum": 0}),
        ("sealed_ago", {}, {"{}": LAG}),
        ("sealed_ago", {SEALED: then(f"{-LAG}+15", str(STUCK))}, {"{}": BEGAN + 600 - STUCK}),
        ("sealed_behind", {EVALUATED: then(f"{-LAG}+15", str(STUCK))}, {"{}": BEGAN + 600 - LAG - STUCK}),
        ("slowest", {FRESH_OF_1: then("2", "130")}, {"{}": 130}),
        ("reading_left", {LAG_OF_0: then("0", "60000")}, {"{}": 30}),
        ("reading_left", {CONSUMED: steady(0), CONSUMED2: steady(0)}, {}),
        ("most_dead", {CONSUMED: steady(0), CONSUMED2: steady(0)}, {}),
        ("partition_lag", {}, {'{topic="rectrace.stages",partition="0"}': 50}),
        ("consumed", {}, {f"rectrace:records_consumed:rate2m{of}": 1_000 for of in (OF_W1, OF_W2)}),
        ("answered", {UP2: then("1", "0")}, {OF_W1: 1, OF_W2: 0}),
        ("paused", {PAUSED: then("0", "1")}, {OF_W1: 1}),
        ("closed", {}, {'{reason="complete"}': 20}),
        ("most_held", {OPEN: then("0", "240000000")}, {"{}": 0.9375}),
        ("held_bytes", {}, {OF_W1: 1e8 + 1e6}),
        ("most_dead", {DEAD: then("0", "0+6000")}, {"{}": 0.4}),
        ("dead_share", {DEAD: then("0", "0+6000")}, {OF_W1: 0.4}),
        ("dead_by_worker", {DEAD: then("0", "0+6000")}, {OF_W1: 24_000}),
        ("dead_letters", {DEAD: then("0", "0+6000")}, {'{reason="invalid"}': 24_000}),
        ("rules_failed", {RULES_FAILED: then("0", "2"), RULES_FAILED2: steady(7)}, {"{}": 2}),
        ("alerts", {OPEN: then("0", "240000000")}, {FULL: BEGAN * 1_000}),
    ],
)
def test_what_a_panel_shows_in_ten_minutes_of_a_fault(
    name: str, fault: Series, values: Mapping[str, float], tmp_path: Path
) -> None:
    check(RULES, {**HEALTHY, **fault}, [Gives(BEGAN + 600, expand(EXPRESSIONS[name], EVERYTHING), values)], tmp_path)


def test_promtool_takes_the_rules() -> None:
    done = run("promtool", "check", "rules", str(RULES))
    assert done.returncode == 0, done.stderr
    assert "FAILED" not in done.stdout
