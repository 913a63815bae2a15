"""What every store of the alert engine does, the one in memory and ClickHouse."""

from collections.abc import Iterator

import pytest

from schemas.alerts import AlertState, Change, Evaluation
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Layout, migrate
from streams.ports import AlertStore
from tests.support.alert_store import MemoryAlertStore

T = 4_102_488_000  # noon of a day in 2100: nothing expires while a test looks
STATE = AlertState(
    alert="SourceEmpty",
    labels={"placement": "home", "component": "ann é\n'\"\\"},
    severity="page",
    status="firing",
    began=T - 20,
    recent=[(T - 20, "b"), (T - 10, "b"), (T, "h")],
    told=True,
    fired=T - 10,
    frozen=0.25,
    value=0.5,
    annotations={"summary": "ann returns nothing"},
    examples=["r-1", "r-2"],
)


@pytest.fixture(params=["memory", "clickhouse"])
def store(request: pytest.FixtureRequest) -> Iterator[AlertStore]:
    if request.param == "memory":
        yield MemoryAlertStore()
        return
    database = request.getfixturevalue("database")
    with connect(request.getfixturevalue("clickhouse")) as client:
        migrate(client, Layout(database))
        yield ClickHouseAlerts(client, database)


def evaluation(window: int, *changes: Change, run: int = 1) -> Evaluation:
    return Evaluation("sealed", window, run, "judged", [STATE], list(changes))


def test_nothing_yet(store: AlertStore) -> None:
    assert store.latest("sealed") is None
    assert store.delivered("http://am") == {}
    assert store.changed("sealed", 0, 10) == []
    assert store.sealed(0, 10) == []
    assert store.newest_complete() is None
    store.save([])


def test_what_is_saved_is_read_whole(store: AlertStore) -> None:
    saved = evaluation(T, Change("firing", True, STATE), Change("resolved", False, STATE, T + 10, "no data any more"))
    store.save([saved])
    assert store.latest("sealed") == saved
    assert store.latest("ingest") is None
    assert store.changed("sealed", T - 1, 10) == [saved]


def test_the_newest_window_is_the_latest_in_whatever_order_they_came(store: AlertStore) -> None:
    store.save([evaluation(T + 10)])
    store.save([evaluation(T)])
    latest = store.latest("sealed")
    assert latest is not None
    assert latest.window == T + 10


def test_of_two_evaluations_of_a_window_the_first_counts(store: AlertStore) -> None:
    store.save([evaluation(T, run=7)])
    store.save([evaluation(T, Change("firing", True, STATE), run=8)])
    latest = store.latest("sealed")
    assert latest is not None
    assert latest.run == 7
    assert store.changed("sealed", 0, 10) == []


def test_changes_come_in_order_and_only_those_after(store: AlertStore) -> None:
    fires, ends = Change("firing", True, STATE), Change("resolved", True, STATE, T + 30)
    store.save([evaluation(T, fires), evaluation(T + 10), evaluation(T + 20, ends)])
    assert [each.window for each in store.changed("sealed", T - 10, 10)] == [T, T + 20]
    assert [each.window for each in store.changed("sealed", T, 10)] == [T + 20]
    assert [each.window for each in store.changed("sealed", T - 10, 1)] == [T]


def test_a_target_is_where_it_got_to_and_never_goes_back(store: AlertStore) -> None:
    store.mark_delivered("http://am", "sealed", T + 10)
    store.mark_delivered("http://am", "sealed", T)
    store.mark_delivered("http://am", "ingest", 0)
    assert store.delivered("http://am") == {"sealed": T + 10, "ingest": 0}
    assert store.delivered("http://other") == {}
