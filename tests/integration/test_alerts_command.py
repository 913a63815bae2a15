"""`rectrace alerts list` over what an engine has kept."""

import json
import time
from collections.abc import Iterator, Sequence

import pytest

from schemas.alerts import AlertState, Change, Evaluation
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Layout, migrate
from tests.support.command_line import run

NOW = int(time.time()) // 10 * 10
ANN = {"placement": "home", "stage": "retrieval", "component": "ann"}


def state(alert: str, began: int, *, labels: dict[str, str] | None = None, status: str = "firing") -> AlertState:
    return AlertState(
        alert=alert,
        labels=ANN if labels is None else labels,
        severity="page",
        status="firing" if status == "firing" else "pending",
        began=began,
        recent=[(began, "b")],
        told=status == "firing",
        bad=60,
        total=60,
        annotations={"summary": f"{alert} [red]:smile:", "description": "Look at its index."},
        examples=["r-1", "r-2"],
    )


@pytest.fixture
def store(clickhouse: str, database: str) -> Iterator[ClickHouseAlerts]:
    with connect(clickhouse) as client:
        migrate(client, Layout(database))
        yield ClickHouseAlerts(client, database)


@pytest.fixture
def env(clickhouse: str, database: str) -> dict[str, str]:
    return {
        "RECTRACE_CLICKHOUSE": clickhouse,
        "RECTRACE_DATABASE": database,
        "RECTRACE_ALERTS__CONSOLE": "http://console",
    }


def ask(words: Sequence[str], env: dict[str, str]) -> str:
    done = run(["alerts", "list", *words], env)
    assert done.exit_code == 0, done.output
    return done.stdout


def keep(store: ClickHouseAlerts) -> None:
    """One that is over, one over long ago, one that fires, one that is pending, and one of ingest."""
    old, over = state("NoResponse", NOW - 9000), state("ShortResponses", NOW - 600, labels={"placement": "home"})
    fires, pending = state("SourceEmpty", NOW - 40), state("EmptyResponses", NOW - 20, status="pending")
    lag = state("IngestLag", NOW - 30, labels={})
    changes = [
        (NOW - 9000, Change("resolved", True, old, NOW - 8000)),
        (NOW - 590, Change("firing", True, over)),
        (NOW - 300, Change("resolved", True, over, NOW - 290, "no data any more")),
        (NOW - 30, Change("firing", True, fires)),
    ]
    store.save([Evaluation("sealed", at, 1, "judged", [], [change]) for at, change in changes])
    store.save([Evaluation("sealed", NOW - 20, 1, "judged", [fires, pending])])
    store.save([Evaluation("ingest", NOW - 20, 0, "judged", [lag], [Change("firing", True, lag)])])


def test_nothing_is_known_yet(store: ClickHouseAlerts, env: dict[str, str]) -> None:
    assert "no window has been evaluated yet" in ask([], env)
    assert json.loads(ask(["--json"], env)) == []


def test_nothing_fires(store: ClickHouseAlerts, env: dict[str, str]) -> None:
    store.save([Evaluation("sealed", NOW - 20, 1, "judged")])
    assert ask(["--firing"], env) == "nothing fires\n"
    assert ask(["--since", "2h"], env) == "no alert in the last 2h\n"


def test_what_fires_and_what_has(store: ClickHouseAlerts, env: dict[str, str]) -> None:
    keep(store)
    heads = [line.split()[:3] for line in ask([], env).splitlines() if not line.startswith(" ")]
    assert heads == [
        ["firing", "page", "IngestLag"],
        ["firing", "page", "SourceEmpty"],
        ["pending", "page", "EmptyResponses"],
        ["resolved", "page", "ShortResponses"],
    ]
    text = ask(["--firing"], env)
    assert "SourceEmpty [red]:smile:" in text
    assert "for example: r-1 r-2" in text
    assert "alert: http://console/alerts/" in text
    assert "ShortResponses" not in text
    assert "no data any more" in ask([], env)
    assert "NoResponse" in ask(["--since", "3h"], env)


def test_for_programs(store: ClickHouseAlerts, env: dict[str, str]) -> None:
    keep(store)
    told = {each["alert"]: each for each in json.loads(ask(["--json"], env))}
    assert told["SourceEmpty"]["labels"] == ANN
    assert told["SourceEmpty"]["examples"] == ["r-1", "r-2"]
    assert told["SourceEmpty"]["fingerprint"] == state("SourceEmpty", 0).fingerprint
    assert told["SourceEmpty"]["ended"] is None
    assert told["SourceEmpty"]["figures"] == {"bad": 60, "total": 60, "value": None, "baseline": None, "threshold": 0}
    assert told["ShortResponses"]["ended"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 290))
    assert told["EmptyResponses"]["status"] == "pending"


def test_dashboards_have_a_view(store: ClickHouseAlerts, clickhouse: str, database: str) -> None:
    keep(store)
    with connect(clickhouse) as client:
        rows = client.query(
            f"SELECT alert, status, severity, labels, summary, examples, fingerprint FROM {database}.alert_changes "
            "WHERE chain = 'sealed' ORDER BY window DESC LIMIT 1"
        ).result_rows
    summary = "SourceEmpty [red]:smile:"
    found = state("SourceEmpty", 0).fingerprint
    assert rows == [("SourceEmpty", "firing", "page", ANN, summary, ["r-1", "r-2"], found)]
