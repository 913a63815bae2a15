"""The client: one line a stage, and never in the way of a recommendation."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rectrace.client import Publisher, RequestTrace, timed
from rectrace.client.failures import LOG_EVERY, Failures
from schemas.catalog import decode_catalog
from schemas.envelope import decode
from schemas.events import Adjustment, CutoffEvent
from schemas.exact import check
from schemas.interactions import decode_interaction

NOW = 1767225600.5


class Topics:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes | None]] = []

    def send(self, topic: str, key: bytes, value: bytes | None) -> None:
        self.records.append((topic, key, value))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(value) for _, _, value in self.records if value]


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def publisher(topics: Topics) -> Publisher:
    return Publisher(topics.send, clock=lambda: NOW)


def test_a_request_and_all_of_its_stages(publisher: Publisher, topics: Topics) -> None:
    trace = publisher.request(
        "r-1", placement="home", k=2, user_id=7, segments={"country": "DE", "age": 34}, experiments={"rank": "b"},
        context={"page": 1}, expects=["ann", "api"], duration_ms=1.5,
    )  # fmt: skip
    assert trace.retrieval("ann", ["a", "b"], scores=[0.9, 0.8], version="3")
    assert trace.merging("merge", ["a", "b", "c"], n_in=4, n_unique=3)
    assert trace.filtering("rules", ["a", "b"], dropped={"seen": ["c"]})
    assert trace.scoring("ranker", ["a", "b"], scores=[0.1, None])
    assert trace.ordering("mmr", ["b", "a"])
    assert trace.reranking("diversity", ["b", "a"], status="timeout", error="slow")
    boost = Adjustment(rule_id="r", item="a", action="boost", delta=0.5)
    assert trace.business_logic(
        "boosts", ["a", "b"], adjustments=[boost, {"rule_id": 3, "item": "b", "action": "bury"}]
    )
    assert trace.cutoff("top", ["a"], dropped_counts={"below": 1})
    assert trace.response(["a"], duration_ms=20)
    events = [decode(value) for _, _, value in topics.records if value]
    assert [event.stage for event in events] == [
        "request", "retrieval", "merging", "filtering", "scoring", "ordering", "reranking", "business_logic", "cutoff",
        "response",
    ]  # fmt: skip
    assert {(topic, key) for topic, key, _ in topics.records} == {("rectrace.stages", b"r-1")}
    assert {event.ts_ms for event in events} == {1767225600500}
    assert (events[0].component, events[-1].component, events[-1].served_by) == ("api", "api", "primary")
    assert json.loads(bytes(events[7].adjustments))[0] == {"rule_id": "r", "item": "a", "action": "boost", "delta": 0.5}
    assert (publisher.published, publisher.failed) == (10, 0)


def test_a_request_without_an_id_gets_one_and_another_service_goes_on_with_it(topics: Topics) -> None:
    trace = Publisher(topics.send).request(placement="home", k=2)
    other = Publisher(topics.send).trace(trace.request_id)
    assert isinstance(other, RequestTrace)
    other.retrieval("ann", ["a"])
    assert [key.decode() for _, key, _ in topics.records] == [trace.request_id] * 2
    assert Publisher(topics.send).request(placement="home", k=2).request_id != trace.request_id


def test_what_recommenders_have_at_hand_is_sent_as_json(publisher: Publisher, topics: Topics) -> None:
    trace = publisher.trace("r")
    trace.scoring("m", np.array(["a", "b"]), scores=np.array([0.5, np.nan], dtype=np.float32))
    trace.scoring("m", [np.int64(4), np.str_("x")], scores=[np.float64(2.5), float("inf")])
    trace.filtering("m", (item for item in "ab"), dropped={"seen": {"c"}, "old": np.array([1, 2])})
    assert publisher.failed == 0
    assert [(event["items"], event.get("scores")) for event in topics.events] == [
        (["a", "b"], [0.5, None]),
        ([4, "x"], [2.5, None]),
        (["a", "b"], None),
    ]
    assert topics.events[2]["dropped"] == {"seen": ["c"], "old": [1, 2]}


@pytest.mark.parametrize("items", [[f"i{n}" for n in range(10)], np.arange(10), (n for n in range(10))])
def test_lists_are_capped_and_the_counts_still_hold_the_truth(topics: Topics, items: Any) -> None:
    publisher = Publisher(topics.send, max_items=4)
    publisher.trace("r").filtering(
        "m", items, scores=list(range(10)), dropped={"seen": range(6), "old": ["x"]}, n_in=17
    )
    (event,) = topics.events
    assert [len(event["items"]), len(event["scores"]), len(event["dropped"]["seen"])] == [4, 4, 4]
    assert (event["n_in"], event["n_out"], event["dropped_counts"]) == (17, 10, {"seen": 6, "old": 1})
    assert event["truncated"] is True


def test_counts_that_the_caller_gives_win_over_the_capped_lists(topics: Topics) -> None:
    publisher = Publisher(topics.send, max_items=2)
    publisher.trace("r").filtering("m", [1, 2, 3], n_out=9, dropped={"seen": [4, 5, 6]}, dropped_counts={"seen": 90})
    assert (topics.events[0]["n_out"], topics.events[0]["dropped_counts"]) == (9, {"seen": 90})


def test_short_lists_are_not_called_truncated(topics: Topics) -> None:
    publisher = Publisher(topics.send, max_items=4)
    publisher.trace("r").filtering("m", (item for item in "ab"), dropped={"seen": iter("c")})
    publisher.trace("r").cutoff("m", [])
    publisher.request("r", placement="home", k=1)
    assert [event.get("items") for event in topics.events] == [["a", "b"], [], None]
    assert topics.events[0]["dropped"] == {"seen": ["c"]}
    assert not any("truncated" in event for event in topics.events)


def test_an_event_that_breaks_the_contract_is_not_sent_and_says_why(
    publisher: Publisher, topics: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    assert publisher.trace("r").scoring("m", ["a"], scores=["high"]) is False
    assert (topics.records, publisher.published, publisher.failed) == ([], 0, 1)
    assert "$.scores[0]: expected number, got string" in caplog.text


def test_validation_can_be_turned_off(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Publisher(topics.send, validate=False).trace("r").scoring("m", ["a"], scores=["high"])
    monkeypatch.setenv("RECTRACE_VALIDATE", "0")
    assert Publisher(topics.send).trace("r").scoring("m", ["a"], scores=["high"])
    assert not Publisher(topics.send, validate=True).trace("r").scoring("m", ["a"], scores=["high"])


def test_an_unknown_field_is_sent_and_warned_about(
    publisher: Publisher, topics: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    assert publisher.trace("r").event("scoring", "m", ["a"], socres=[1])
    assert (len(topics.records), publisher.failed) == (1, 0)
    assert "scoring events have no field socres" in caplog.text


def test_nothing_that_goes_wrong_reaches_the_recommender(caplog: pytest.LogCaptureFixture) -> None:
    def away(topic: str, key: bytes, value: bytes | None) -> None:
        raise ConnectionError("no broker")

    publisher = Publisher(away)
    trace = publisher.request(placement="home", k=2)
    assert not any(trace.retrieval("ann", ["a"]) for _ in range(100))
    assert not trace.retrieval("ann", 5)  # type: ignore[arg-type]
    assert not trace.retrieval("ann", [object()])
    assert not trace.event("no such stage", "ann", [])
    assert not publisher.trace(None).response([])  # type: ignore[arg-type]
    assert not publisher.interaction("r", "i", "click")
    assert not publisher.item("i", title="T")
    assert not publisher.remove_item("i")
    assert (publisher.published, publisher.failed) == (0, 108)
    assert len(caplog.records) == 1, "a hundred failures are one message"
    assert "ConnectionError: no broker" in caplog.text


def test_failures_are_logged_at_most_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    failures = Failures(clock=lambda: now)
    for now in (0.0, 1.0, LOG_EVERY - 0.1, LOG_EVERY, LOG_EVERY + 1):
        failures.add(f"at {now}")
    assert failures.count == 5
    assert [record.getMessage().split("; ")[0] for record in caplog.records] == [
        "1 event(s) not published since the last such message",
        "3 event(s) not published since the last such message",
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_a_failure_that_kafka_python_reports_later_is_counted() -> None:
    class Future:
        def __init__(self) -> None:
            self.errbacks: list[Callable[[Exception], object]] = []

        def add_errback(self, errback: Callable[[Exception], object]) -> None:
            self.errbacks.append(errback)

    future = Future()
    publisher = Publisher(lambda topic, key, value: future)
    assert publisher.trace("r").response([])
    assert publisher.failed == 0
    future.errbacks[0](TimeoutError("batch expired"))
    assert publisher.failed == 1


def test_a_failure_that_a_delivery_callback_reports_is_counted(publisher: Publisher) -> None:
    publisher.on_delivery(None, "message")
    assert publisher.failed == 0
    publisher.on_delivery("broker: message too large", "message")
    assert publisher.failed == 1


def test_a_coroutine_is_run_and_its_failure_counted(caplog: pytest.LogCaptureFixture) -> None:
    sent = []

    async def send(topic: str, key: bytes, value: bytes | None) -> None:
        await asyncio.sleep(0)
        if key == b"bad":
            raise ConnectionError("leader is gone")
        sent.append(key)

    async def serve(publisher: Publisher) -> None:
        assert publisher.trace("good").response([])
        assert publisher.trace("bad").response([])
        while len(sent) + publisher.failed < 2:
            await asyncio.sleep(0)

    publisher = Publisher(send)
    asyncio.run(asyncio.wait_for(serve(publisher), 10))
    assert (sent, publisher.failed) == ([b"good"], 1)
    assert "leader is gone" in caplog.text


@pytest.mark.filterwarnings("error")
def test_a_coroutine_without_a_running_loop_is_a_counted_failure() -> None:
    async def send(topic: str, key: bytes, value: bytes | None) -> None: ...

    publisher = Publisher(send)
    assert publisher.trace("r").response([]) is False
    assert publisher.failed == 1


def test_interactions_and_the_catalogue(topics: Topics) -> None:
    publisher = Publisher(topics.send, topics={"catalog": "shop.catalog"}, clock=lambda: NOW)
    assert publisher.interaction("r", "i", "purchase", position=2, value=9.5)
    assert publisher.item("i", title="T", price=9.5, attributes={"sizes": ["S"]})
    assert publisher.remove_item("i")
    assert not publisher.interaction("r", "", "click")
    assert not publisher.item("i", price=-1)
    (seen, state, gone) = topics.records
    assert seen[:2] == ("rectrace.interactions", b"r")
    assert decode_interaction(seen[2] or b"", 0).ts == 1767225600500
    assert state[:2] == ("shop.catalog", b"i")
    assert decode_catalog(state[1], state[2], 0).attributes == {"sizes": '["S"]'}
    assert gone == ("shop.catalog", b"i", None)


def test_a_model_can_be_published(publisher: Publisher, topics: Topics) -> None:
    event = CutoffEvent(request_id="r", ts=1767225600000, component="top", items=("a",), dropped={"below": ("b",)})
    assert publisher.publish(event)
    assert check(topics.records[0][2] or b"") == event


def test_a_stopwatch_stops_with_its_block() -> None:
    with timed() as clock:
        during = clock.ms
    after = clock.ms
    assert 0 <= during <= after == clock.ms


HEAVY = (
    "faust",
    "mode",
    "aiokafka",
    "kafka",
    "confluent_kafka",
    "clickhouse_connect",
    "chdb",
    "aiohttp",
    "numpy",
    "typer",
)


def test_importing_the_client_imports_no_broker_or_database() -> None:
    code = f"import sys, rectrace.client; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
