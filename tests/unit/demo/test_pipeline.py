"""The whole recommender: what its events say is what happened."""

from collections import Counter

import numpy as np
import pytest

from rectrace.demo import world as worlds
from rectrace.demo.catalogue import COUNTRIES
from rectrace.demo.recording import START, Recording, record
from rectrace.demo.traffic import STAGES, Traffic
from rectrace.demo.world import PLACEMENTS, World
from schemas.envelope import decode
from schemas.events import ANY_EVENT

CHAIN = ("rrf", "eligibility", "policy", "ranker", "mmr", "merchandising", "top_k")


def test_every_event_keeps_the_contract(healthy: Recording) -> None:
    stages = [message for message in healthy.messages if message.topic == STAGES]

    assert len(stages) > 3_000
    for message in stages:
        assert decode(message.value).request_id == message.key.decode()
        ANY_EVENT.validate_json(message.value)


def test_all_expected_components_answer(healthy: Recording) -> None:
    assert {healthy.one(name, "api", "request")["placement"] for name in healthy.whole()} == set(PLACEMENTS)
    for name in healthy.whole():
        request = healthy.one(name, "api", "request")
        placement = PLACEMENTS[request["placement"]]
        assert request["k"] == placement.k
        assert request["expects"] == [*placement.sources, *CHAIN]
        if healthy.one(name, "api", "response")["served_by"] == "primary":
            assert set(healthy.events[name]) == {"api", *request["expects"]}


def test_candidates_are_neither_lost_nor_made_up_on_the_way(healthy: Recording) -> None:
    injected = 0
    for name in healthy.whole():
        events = {component: found[0] for component, found in healthy.events[name].items()}
        if "top_k" not in events:
            continue
        sources = [event for event in events.values() if event["stage"] == "retrieval"]
        assert sum(len(event["items"]) for event in sources) == events["rrf"]["n_in"]
        assert {item for event in sources for item in event["items"]} == set(events["rrf"]["items"])
        before = events["rrf"]["items"]
        for component in ("eligibility", "policy"):
            dropped = [item for items in events[component]["dropped"].values() for item in items]
            assert Counter(before) == Counter(events[component]["items"] + dropped)
            before = events[component]["items"]
        assert events["ranker"]["items"] == before
        assert len(events["ranker"]["scores"]) == len(before)
        assert set(events["mmr"]["items"]) <= set(before)
        acted = {each["item"]: each["action"] for each in events["merchandising"]["adjustments"]}
        added = set(events["merchandising"]["items"]) - set(events["mmr"]["items"])
        gone = set(events["mmr"]["items"]) - set(events["merchandising"]["items"])
        assert {acted[item] for item in added} <= {"inject"}
        assert gone == {item for items in events["merchandising"]["dropped"].values() for item in items}
        injected += len(added)
        k = healthy.one(name, "api", "request")["k"]
        assert events["top_k"]["items"] == events["merchandising"]["items"][:k]
        assert healthy.one(name, "api", "response")["items"] == events["top_k"]["items"]
    assert injected > 0


def test_sources_overlap_and_candidates_are_many(healthy: Recording) -> None:
    merged = healthy.of("rrf")

    assert all(event["n_unique"] == len(event["items"]) for event in merged)
    assert 100 < np.mean([event["n_in"] for event in merged]) < 160
    assert 1.2 < np.mean([event["n_in"] / event["n_unique"] for event in merged]) < 2


def test_all_reasons_occur(healthy: Recording) -> None:
    reasons = Counter(
        reason
        for component in ("eligibility", "policy", "mmr", "merchandising")
        for event in healthy.of(component)
        for reason, items in event["dropped"].items()
        for _ in items
    )
    rules = Counter(each["rule_id"] for event in healthy.of("merchandising") for each in event["adjustments"])

    assert set(reasons) == {
        "out_of_stock", "already_seen", "region_blocked", "brand_unsafe", "out_of_season", "class_cap",
        "recall_2417",
    }  # fmt: skip
    assert set(rules) == {
        "boost_new_season", "boost_house_brand", "bury_low_rated", "pin_summer_campaign",
        "sponsored_tidewell",
    }  # fmt: skip


def test_what_is_served_was_allowed(world: World, healthy: Recording) -> None:
    garments = world.catalogue
    for name in healthy.whole():
        request = healthy.one(name, "api", "request")
        country = COUNTRIES.index(request["segments"]["country"])
        for item in healthy.one(name, "api", "response")["items"]:
            number = int(item[1:])
            assert garments.sold_in[number, country]
            assert not garments.unsafe[number]
            assert request["placement"] != "home" or not garments.private[number]


def test_served_order_differs_from_the_models(healthy: Recording) -> None:
    same = 0
    for name in healthy.whole():
        if "ranker" not in healthy.events[name] or "mmr" not in healthy.events[name]:
            continue
        scored, ordered = healthy.one(name, "ranker"), healthy.one(name, "mmr")
        by_model = [item for item, _ in sorted(zip(scored["items"], scored["scores"], strict=True), key=_score)]
        assert ordered["items"][0] == by_model[0]
        same += ordered["items"] == by_model[: len(ordered["items"])]
    assert same < 0.05 * len(healthy.whole())


def _score(pair: tuple[str, float]) -> float:
    return -pair[1]


def test_responses_are_full_and_fallbacks_rare(healthy: Recording) -> None:
    whole = healthy.whole()
    responses = [healthy.one(name, "api", "response") for name in whole]

    short = sum(
        len(response["items"]) < healthy.one(name, "api", "request")["k"]
        for name, response in zip(whole, responses, strict=True)
    )

    assert len(whole) > 300
    assert short <= 0.01 * len(whole)
    assert sum(response["served_by"] == "fallback" for response in responses) <= 0.01 * len(whole)


def test_the_ranker_experiment_changes_the_scores(healthy: Recording) -> None:
    version = {"control": "1.4.2", "v2": "2.0.0"}
    seen: Counter[str] = Counter()
    scores: dict[str, list[float]] = {"control": [], "v2": []}
    for name in healthy.whole():
        variant = healthy.one(name, "api", "request")["experiments"]["ranker"]
        scored = healthy.one(name, "ranker")
        assert scored["version"] == version[variant]
        seen[variant] += 1
        scores[variant] += scored.get("scores", [])

    assert 0.35 < seen["v2"] / seen.total() < 0.65
    assert np.mean(scores["v2"]) < 0.9 * np.mean(scores["control"])


def test_the_diversity_experiment_changes_the_lists(world: World, healthy: Recording) -> None:
    classes: dict[str, list[int]] = {"control": [], "strong": []}
    for name in healthy.whole():
        request = healthy.one(name, "api", "request")
        if request["placement"] == "home":
            items = healthy.one(name, "api", "response")["items"]
            kinds = {int(world.catalogue.garment_class[int(item[1:])]) for item in items}
            classes[request["experiments"]["diversity"]].append(len(kinds))

    assert np.mean(classes["strong"]) > np.mean(classes["control"]) + 1


def test_a_user_stays_in_the_variant(healthy: Recording) -> None:
    variants: dict[str, set[str]] = {}
    for request in healthy.of("api", "request"):
        variants.setdefault(request["user_id"], set()).add(str(request["experiments"]))

    assert all(len(seen) == 1 for seen in variants.values())
    assert len(set.union(*variants.values())) == 4


def test_times_follow_the_pipeline(healthy: Recording) -> None:
    for name in healthy.whole():
        events = sorted((e for found in healthy.events[name].values() for e in found), key=lambda e: int(e["seq"]))
        times = [event["ts"] for event in events if event["stage"] != "retrieval"]
        assert times == sorted(times)
        sources = [event["ts"] for event in events if event["stage"] == "retrieval"]
        assert max(sources) <= times[1]
        assert abs(events[-1]["duration_ms"] - (events[-1]["ts"] - events[0]["ts"] + events[0]["duration_ms"])) < 3


@pytest.mark.parametrize("stopwatch_ms", [0.0, 5.0])
def test_measured_time_is_added_to_the_latency(world: World, stopwatch_ms: float) -> None:
    ticks = iter(range(10**9))
    traffic = Traffic(world, 20.0, START, mishaps=0.0, stopwatch=lambda: next(ticks) * stopwatch_ms / 1000)
    durations = []
    for message in traffic:
        if message.topic == STAGES:
            durations.append(decode(message.value).duration_ms or 0.0)
        if len(durations) == 500:
            break

    assert min(durations) > stopwatch_ms
    assert min(durations) < stopwatch_ms + 1


def test_the_same_seed_tells_the_same(healthy: Recording) -> None:
    again = record(worlds.build(7, START), 4.0)
    other = record(worlds.build(8, START), 2.0)

    assert len(again.messages) > 1206
    assert again.messages == healthy.messages[: len(again.messages)]
    assert not set(other.events) & set(healthy.events)
