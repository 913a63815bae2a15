"""The stream of messages: order, rates, mishaps, and what users do."""

import itertools
import json
from collections import Counter
from collections.abc import Callable

import numpy as np

from rectrace.demo.catalogue import COUNTRIES
from rectrace.demo.recording import START, Recording
from rectrace.demo.traffic import CATALOG, INTERACTIONS, STAGES, Traffic
from rectrace.demo.world import World
from schemas.catalog import decode_catalog
from schemas.interactions import decode_interaction


def test_messages_are_in_order_of_their_due_times(healthy: Recording) -> None:
    due = [message.due for message in healthy.messages]

    assert due == sorted(due)
    assert due[0] == START


def test_the_catalogue_comes_first_and_then_its_changes(world: World, healthy: Recording) -> None:
    records = [message for message in healthy.messages if message.topic == CATALOG]

    assert [message.key.decode() for message in records[:1206]] == world.catalogue.ids
    assert {message.topic for message in healthy.messages[:1206]} == {CATALOG}
    assert len(records) > 1206
    for message in records:
        assert decode_catalog(message.key, message.value, 0).item == message.key.decode()
    before = {message.key: message.value for message in records[:1206]}
    assert any(message.value != before[message.key] for message in records[1206:])


def test_requests_come_at_the_asked_rate(world: World) -> None:
    for rate in (5.0, 50.0):
        traffic = Traffic(world, rate, START)
        last = START
        for message in traffic:
            last = message.due
            if traffic.requests >= 400:
                break
        assert 0.85 * rate < 400 / (last - START) < 1.15 * rate


def test_half_of_the_mishaps_are_late_and_half_come_twice(world: World) -> None:
    traffic = Traffic(world, 50.0, START, mishaps=0.01)
    counts: Counter[bytes] = Counter()
    late = total = 0
    for message in itertools.takewhile(lambda m: m.due < START + 61, traffic):
        if message.topic == STAGES and (event := json.loads(message.value))["ts"] < (START + 20) * 1000:
            total += 1
            late += message.due - event["ts"] / 1000 > 10
            counts[message.value] += 1
    twice = sum(count == 2 for count in counts.values())

    assert max(counts.values()) == 2
    assert 0.003 < late / total < 0.007
    assert 0.003 < twice / total < 0.007


def test_interactions_are_valid_and_follow_their_response(world: World, recorded: Callable[..., Recording]) -> None:
    run = recorded(seconds=60)
    served_at = {event["request_id"]: event for event in run.of("api", "response")}
    kinds: Counter[str] = Counter()
    for message in run.messages:
        if message.topic != INTERACTIONS:
            continue
        row = decode_interaction(message.value, int(message.due * 1000))
        response = served_at[row.request_id]
        assert row.position is not None
        assert response["items"][row.position - 1] == row.item
        assert row.ts > response["ts"] + 1_000
        assert (row.value is not None) == (row.kind == "purchase")
        kinds[row.kind] += 1

    assert kinds["click"] > kinds["cart"] > kinds["purchase"] > 0
    assert 0.005 < kinds["click"] / sum(len(event["items"]) for event in served_at.values()) < 0.1


def test_clicks_prefer_the_top_and_the_relevant(world: World, recorded: Callable[..., Recording]) -> None:
    clicks = [record for record in recorded(seconds=60).records(INTERACTIONS) if record["kind"] == "click"]
    home = [event for event in recorded(seconds=60).of("api", "response") if len(event["items"]) == 20]
    shown = {event["request_id"] for event in home}
    places = [click["position"] for click in clicks if click["request_id"] in shown]

    assert np.mean(np.array(places) <= 5) > 0.35  # a quarter of the slots


def test_a_worse_ranking_earns_fewer_clicks(recorded: Callable[..., Recording]) -> None:
    def clicks(recording: Recording) -> int:
        return sum(record["kind"] == "click" for record in recording.records(INTERACTIONS))

    assert clicks(recorded("scorer_constant", seconds=60)) < 0.95 * clicks(recorded(seconds=60))


def test_what_was_bought_is_not_offered_again(world: World, recorded: Callable[..., Recording]) -> None:
    run = recorded(seconds=60)
    user_of = {event["request_id"]: event["user_id"] for event in run.of("api", "request")}
    purchases = [record for record in run.records(INTERACTIONS) if record["kind"] == "purchase"]
    bought = {(user_of[record["request_id"]], record["item"]): record["ts"] for record in purchases}

    again = [
        (user_of[event["request_id"]], item)
        for event in run.of("api", "response")
        for item in event["items"]
        if bought.get((user_of[event["request_id"]], item), np.inf) < event["ts"] - 1_000
    ]

    assert len(purchases) > 10
    assert not again


def test_the_latest_served_request_is_one_to_ask_about(world: World) -> None:
    traffic = Traffic(world, 20.0, START)
    seen = set()
    for message in traffic:
        if message.topic == STAGES and (served := traffic.served):
            event = json.loads(message.value)
            if event["stage"] == "response":
                assert served.request_id == event["request_id"]
                seen.add(served.reason)
        if traffic.requests > 200:
            break

    assert len(seen) >= 5


def test_users_of_every_country_come(healthy: Recording) -> None:
    countries = {event["segments"]["country"] for event in healthy.of("api", "request")}

    assert countries == set(COUNTRIES)


def test_the_rest_makes_every_request_whole(world: World) -> None:
    traffic = Traffic(world, 50.0, START, mishaps=0.0)
    sent = [message for message in itertools.islice(traffic, 5_000) if message.topic == STAGES]
    requests = traffic.requests
    cut = {message.key for message in sent if json.loads(message.value)["stage"] == "response"}

    rest = traffic.rest()

    whole = {message.key for message in sent + rest if json.loads(message.value)["stage"] == "response"}
    assert len(cut) < len(whole) == requests
    assert {message.topic for message in rest} == {STAGES}
