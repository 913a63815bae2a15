"""Each fault shows its ground truth in the events, against the same seed without it."""

import json
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from rectrace.demo import faults
from rectrace.demo.broken_publishing import WAYS_TO_BREAK, objects_as_items
from rectrace.demo.faults import FaultError, Faults
from rectrace.demo.recording import START, Recording, record
from rectrace.demo.traffic import CATALOG, STAGES
from rectrace.demo.world import World
from schemas.envelope import decode
from schemas.errors import Invalid
from schemas.pipeline import STAGES as PIPELINE

Recorded = Callable[..., Recording]

# Faults that touch what comes after them cannot be compared event by event: stock and histories go another way.
LEAVES_THE_RECOMMENDER_ALONE = (
    "source_slow", "events_lost", "events_duplicated", "clock_skew", "schema_v2", "malformed_events",
)  # fmt: skip


def test_every_fault_has_its_truth(world: World, healthy: Recording) -> None:
    library = faults.library()

    assert len({truth.name for truth in library}) == len(library) == 15
    for truth in library:
        assert truth.what
        assert truth.stage in PIPELINE
        assert healthy.of(truth.component, truth.stage)
        request = healthy.of("api", "request")[0]
        assert set(truth.segment) <= set(request["segments"] | request["experiments"])


def test_a_fault_is_read_with_and_without_a_time() -> None:
    assert faults.parse("source_empty").start == 0
    assert faults.parse("source_empty@30").start == 30
    assert faults.parse("source_empty@1.5").truth.component == "covisit"
    assert faults.parse("source_empty@1.5").end == float("inf")


def test_a_fault_may_end() -> None:
    fault = faults.parse("source_empty@30-90.5")
    assert (fault.start, fault.end) == (30, 90.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sorce_empty", "did you mean 'source_empty'"),
        ("sorce_empty", "scorer_constant"),
        ("nothing_like_it", "Known faults: source_empty"),
        ("", "unknown fault ''"),
        ("source_empty@", "'' is not a number"),
        ("source_empty@soon", "NAME@SECONDS"),
        ("source_empty@-1", "'-1' is not"),
        ("source_empty@5-", "'' is not a number"),
        ("source_empty@5-soon", "'soon' is not a number"),
        ("source_empty@5-5", "ends before it begins"),
        ("source_empty@5-4", "NAME@START-END"),
        ("source_empty@1-2-3", "'1-2' is not a number"),
        ("source_empty@nan", "'nan' is not"),
        ("source_empty@inf", "'inf' is not"),
    ],
)
def test_what_is_not_a_fault_is_refused_with_a_hint(text: str, says: str) -> None:
    with pytest.raises(FaultError, match="fault") as refused:
        faults.parse(text)

    assert says in str(refused.value)


@pytest.mark.parametrize("name", [truth.name for truth in faults.library()])
def test_before_its_start_a_fault_changes_nothing(recorded: Recorded, name: str) -> None:
    assert recorded(f"{name}@1000", seconds=3).messages == recorded(seconds=3).messages


@pytest.mark.parametrize("name", LEAVES_THE_RECOMMENDER_ALONE)
def test_a_fault_elsewhere_serves_the_same(recorded: Recorded, healthy: Recording, name: str) -> None:
    with_fault = recorded(name)

    for request_id in set(healthy.whole()) & set(with_fault.whole()):
        served = [run.one(request_id, "api", "response") for run in (healthy, with_fault)]
        if all(response["served_by"] == "primary" for response in served):
            assert name == "source_slow" or served[0]["items"] == served[1]["items"]


def test_faults_set_in_one_after_the_other(world: World) -> None:
    both = Faults([faults.parse("source_empty@20"), faults.parse("clock_skew@10")])

    assert [fault.truth.name for fault in both.active(5)] == []
    assert [fault.truth.name for fault in both.active(15)] == ["clock_skew"]
    assert [fault.truth.name for fault in both.active(20)] == ["clock_skew", "source_empty"]


def test_faults_end_each_at_its_own_time() -> None:
    both = Faults([faults.parse("source_empty@10-30"), faults.parse("clock_skew@20-40")])
    names = {at: [fault.truth.name for fault in both.active(at)] for at in (9, 10, 20, 30, 40)}
    assert names == {9: [], 10: ["source_empty"], 20: ["source_empty", "clock_skew"], 30: ["clock_skew"], 40: []}
    assert both.hooks(40) is both.hooks(0)


def test_after_its_end_a_fault_changes_nothing(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("source_empty@5-10")
    sizes = {
        at: [len(event["items"]) for event in run.of("covisit") if event["ts"] // 1000 - START == at] for at in (7, 14)
    }
    assert sum(sizes[7]) == 0
    assert np.mean(sizes[14]) > 40


def test_a_fault_begins_at_its_time(recorded: Recorded) -> None:
    run = recorded("source_empty@10")

    for event in run.of("covisit"):
        if event["ts"] > (START + 11) * 1000:
            assert event["items"] == []
    early = [len(event["items"]) for event in run.of("covisit") if event["ts"] < (START + 10) * 1000]
    assert np.mean(early) > 40


def test_source_empty(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("source_empty")

    assert all(event["items"] == [] and "status" not in event for event in run.of("covisit"))
    assert np.mean([len(event["items"]) for event in healthy.of("covisit")]) > 40
    for other in ("popular", "content", "new_arrivals"):
        assert np.mean([len(event["items"]) for event in run.of(other)]) > 20
    assert _mean(run, "rrf", "n_unique") < _mean(healthy, "rrf", "n_unique") - 10


def test_source_slow(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("source_slow")

    in_time = [event["duration_ms"] for event in run.of("content") if "status" not in event]
    assert min(in_time) > 220
    assert _mean(run, "popular", "duration_ms") == pytest.approx(_mean(healthy, "popular", "duration_ms"), rel=0.05)
    late = [event for event in run.of("content") if event.get("status") == "timeout"]
    assert 0 < len(late) < 0.3 * len(run.of("content"))
    assert all(event["duration_ms"] == 250 and "items" not in event for event in late)


def test_filter_overdrop(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("filter_overdrop")

    def blocked(recording: Recording, country: str) -> float:
        counts = [
            len(recording.one(name, "eligibility")["dropped"].get("region_blocked", []))
            for name in recording.whole()
            if recording.one(name, "api", "request")["segments"]["country"] == country
        ]
        return float(np.mean(counts))

    assert blocked(run, "DE") > 4 * blocked(healthy, "DE")
    for country in ("US", "FR"):
        assert blocked(run, country) == pytest.approx(blocked(healthy, country), rel=0.1)
    assert _short_share(run, "DE") > 0.9
    assert _short_share(run, "US") < 0.05


def test_stock_feed_stale(world: World, recorded: Recorded, healthy: Recording) -> None:
    run = recorded("stock_feed_stale@5", seconds=60)
    whole = recorded(seconds=60)

    assert _sold_out_but_served(whole) == 0
    assert _sold_out_but_served(run) > 20


def test_season_leak(world: World, recorded: Recorded, healthy: Recording) -> None:
    run = recorded("season_leak")

    def off_season(recording: Recording) -> Counter[str]:
        opposite = {"summer": "winter", "winter": "summer"}
        counts: Counter[str] = Counter()
        for name in recording.whole():
            season = recording.one(name, "api", "request")["context"]["season"]
            for item in recording.one(name, "api", "response")["items"]:
                record = world.catalogue.record(int(item[1:]), np.ones(6, dtype=np.bool_))
                attributes = record["attributes"]
                assert isinstance(attributes, dict)
                if attributes["season"] == opposite[season]:
                    counts[str(record["category"])] += 1
        return counts

    fallbacks = sum(event["served_by"] == "fallback" for event in healthy.of("api", "response"))
    assert not off_season(healthy), f"{fallbacks} fallbacks"
    assert off_season(run)["Outerwear"] > 0
    assert off_season(run).total() > 100
    assert all("out_of_season" not in event["dropped"] for event in run.of("policy"))


def test_boost_storm(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("boost_storm")

    def boosted_among_the_first_five(recording: Recording) -> float:
        shares = []
        for name in recording.whole():
            if "merchandising" in recording.events[name]:
                adjustments = recording.one(name, "merchandising")["adjustments"]
                boosted = {each["item"] for each in adjustments if each["action"] == "boost"}
                served = recording.one(name, "api", "response")["items"][:5]
                shares.append(len(boosted & set(served)) / 5)
        return float(np.mean(shares))

    def deltas(recording: Recording) -> set[tuple[str, float]]:
        adjustments = [each for event in recording.of("merchandising") for each in event["adjustments"]]
        return {(each["rule_id"], each["delta"]) for each in adjustments if each.get("delta")}  # 0: another rule won

    assert boosted_among_the_first_five(run) > 0.7
    assert boosted_among_the_first_five(run) > 2 * boosted_among_the_first_five(healthy)
    bury = ("bury_low_rated", -0.05)
    assert deltas(healthy) == {("boost_new_season", 0.02), ("boost_house_brand", 0.015), bury}
    assert deltas(run) == {("boost_new_season", 2.0), ("boost_house_brand", 1.5), bury}


def test_scorer_constant(recorded: Recorded, healthy: Recording) -> None:
    assert {score for event in recorded("scorer_constant").of("ranker") for score in event.get("scores", [])} == {0.5}
    assert len({score for event in healthy.of("ranker") for score in event.get("scores", [])}) > 1_000


def test_scorer_scale_shift(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("scorer_scale_shift")

    def scores(recording: Recording, variant: str) -> float:
        versions = {"2.1.0", "2.0.0"} if variant == "v2" else {"1.4.2"}
        events = [event for event in recording.of("ranker") if event["version"] in versions]
        return float(np.mean([score for event in events for score in event.get("scores", [])]))

    assert scores(run, "v2") == pytest.approx(0.35 * scores(healthy, "v2"), rel=0.05)
    assert scores(run, "control") == pytest.approx(scores(healthy, "control"), rel=0.05)
    assert {event["version"] for event in run.of("ranker")} == {"1.4.2", "2.1.0"}


def test_stage_timeout(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("stage_timeout")

    late = [name for name in run.whole() if run.one(name, "ranker").get("status") == "timeout"]
    assert 0.5 < len(late) / len(run.whole()) < 0.75
    for name in late:
        response = run.one(name, "api", "response")
        assert (response["served_by"], response["status"]) == ("fallback", "fallback")
        assert set(response["items"]) <= set(run.one(name, "policy")["items"])
        assert "mmr" not in run.events[name]
    for name in set(run.whole()) - set(late):
        assert run.one(name, "api", "response")["served_by"] == "primary"


def test_events_lost(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("events_lost")

    lost = [name for name in run.whole() if "mmr" not in run.events[name]]
    assert 0.2 < len(lost) / len(run.whole()) < 0.4
    for component in ("ranker", "merchandising", "top_k"):
        assert run.of(component) == healthy.of(component)


def test_events_duplicated(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("events_duplicated")

    twice = [request["eligibility"] for request in run.events.values() if len(request.get("eligibility", [])) == 2]
    assert 0.3 < len(twice) / len(run.events) < 0.5
    assert all(one == other for one, other in twice)
    assert all(len(request.get("ranker", [])) <= 1 for request in run.events.values())


def test_clock_skew(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("clock_skew")

    for name in run.whole():
        ahead = run.one(name, "content")["ts"] - run.one(name, "popular")["ts"]
        assert abs(ahead - 3_600_000) < 1_000
    assert run.of("popular") == healthy.of("popular")


def test_schema_v2(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("schema_v2")

    newer = [event for event in run.of("ranker") if "model_family" in event]
    assert 0.4 < len(newer) / len(run.of("ranker")) < 0.6
    for message in run.messages:
        if message.topic == STAGES:
            decode(message.value)
    known = [{k: v for k, v in e.items() if k not in ("model_family", "feature_ms")} for e in run.of("ranker")]
    assert known == healthy.of("ranker")


def test_malformed_events(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("malformed_events")

    refused: Counter[str] = Counter()
    for message in run.messages:
        if message.topic != STAGES:
            continue
        try:
            decode(message.value)
        except Invalid as invalid:
            refused[f"{invalid.reason} {invalid.field}"] += 1
            assert b"retrieval" in message.value
    inside = [event for event in run.of("new_arrivals") if isinstance(event.get("items", [""])[0], dict)]
    assert set(refused) == {
        "malformed_json $", "invalid_utf8 $", "wrong_type $.duration_ms", "missing_field $.ts",
    }  # fmt: skip
    assert refused["malformed_json $"] > refused["missing_field $.ts"]
    assert inside
    share = (refused.total() + len(inside)) / len(healthy.of("new_arrivals"))
    assert 0.2 < share < 0.4
    assert run.of("ranker") == healthy.of("ranker")


def test_every_way_to_break_an_event_breaks_it(healthy: Recording) -> None:
    event = healthy.of("new_arrivals")[0]
    body = json.dumps(event, separators=(",", ":")).encode()
    decode(body)

    for way in WAYS_TO_BREAK:
        if way is not objects_as_items:
            with pytest.raises(Invalid):
                decode(way(event, body))


def test_traffic_spike(recorded: Recorded, healthy: Recording) -> None:
    run = recorded("traffic_spike@10")

    def requests(recording: Recording, start: float, end: float) -> int:
        return sum(start <= event["ts"] / 1000 - START < end for event in recording.of("api", "request"))

    assert requests(run, 0, 10) == requests(healthy, 0, 10)
    assert 2.4 < requests(run, 10.5, 19) / requests(healthy, 10.5, 19) < 3.6
    assert _short_share(run, "US") < 0.02


def _mean(recording: Recording, component: str, field: str) -> float:
    return float(np.mean([event[field] for event in recording.of(component)]))


def _short_share(recording: Recording, country: str) -> float:
    short = []
    for name in recording.whole():
        request = recording.one(name, "api", "request")
        if request["segments"]["country"] == country:
            short.append(len(recording.one(name, "api", "response")["items"]) < request["k"])
    return float(np.mean(short))


def _sold_out_but_served(recording: Recording) -> int:
    """Served items that the catalogue, as of the request, had nowhere in the user's country."""
    sold_out: dict[str, str] = {}
    count = 0
    arrived: dict[str, tuple[str, dict[str, str]]] = {}
    for message in recording.messages:
        value = json.loads(message.value)
        if message.topic == CATALOG:
            sold_out[value["item"]] = value["attributes"]["out_of_stock_in"]
        elif message.topic == STAGES and value["stage"] == "request":
            arrived[value["request_id"]] = (value["segments"]["country"], dict(sold_out))
        elif message.topic == STAGES and value["stage"] == "response":
            country, then = arrived[value["request_id"]]
            count += sum(country in then[item] for item in value["items"])
    return count


def test_recordings_do_not_share_state(world: World, healthy: Recording) -> None:
    record(world, 3.0, [faults.parse("boost_storm")])

    again = record(world, 3.0).messages
    assert again == healthy.messages[: len(again)]
