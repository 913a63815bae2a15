"""What the demo can be asked for by name: real requests, through all stages, with faults, by HTTP."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest

from rectrace.demo import carousels
from rectrace.demo.carousels import CAROUSELS
from rectrace.demo.endpoint import serving
from rectrace.demo.faults import parse
from rectrace.demo.recording import START
from rectrace.demo.traffic import Traffic
from rectrace.demo.world import World
from rectrace.local.ports import LOOPBACK
from schemas.events import ANY_EVENT
from schemas.recommenders import InputError, allowed, read_answer

USER: dict[str, object] = {"user": "u00042"}
PAGE: dict[str, object] = {**USER, "item": "g871"}
INPUTS: dict[str, dict[str, object]] = {
    name: PAGE if each.placement == "product_page" else USER for name, each in CAROUSELS.items()
}


def asked(
    world: World, name: str, wanted: Mapping[str, Any], *faults: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The answer, and the events in the order in which they are published."""
    traffic = Traffic(world, 20.0, START, faults=[parse(fault) for fault in faults])
    ask = traffic.carousels.ask(name, f"r-{name}", START + 1, wanted)
    answer, messages = traffic.asked(ask)
    assert {message.key for message in messages} == {ask.request_id.encode()}
    assert [message.due for message in messages] == sorted(message.due for message in messages)
    return traffic.carousels.told(ask, answer), [json.loads(message.value) for message in messages]


def test_the_registry_names_what_there_is() -> None:
    known = carousels.registry("http://127.0.0.1:9480")
    assert [each.id for each in known.recommenders] == list(CAROUSELS)
    for each in known.recommenders:
        assert each.placement == CAROUSELS[each.id].placement
        assert each.url == f"http://127.0.0.1:9480/recommend/{each.id}"
        assert allowed(str(each.health), ["http://127.0.0.1:9480"])


@pytest.mark.parametrize("name", CAROUSELS)
def test_a_carousel_is_answered_by_the_pipeline(world: World, name: str) -> None:
    told, events = asked(world, name, {"inputs": INPUTS[name]})
    answer = read_answer(json.dumps(told).encode())
    for event in events:
        ANY_EVENT.validate_json(json.dumps(event))
    of = {event["component"]: event for event in events if event["component"] != "api"}
    request, response = events[0], events[-1]
    assert (request["stage"], request["placement"], request["user_id"]) == ("request", answer.placement, "u00042")
    assert sorted(request["expects"]) == sorted(of)
    assert {event["component"] for event in events if event["stage"] == "retrieval"} == set(CAROUSELS[name].sources)
    items = [each.item for each in answer.items]
    assert response["items"] == items == of["top_k"]["items"]
    assert len(items) == CAROUSELS[name].k
    assert answer.version == of["ranker"]["version"]
    assert answer.arms == request["experiments"]
    scores = dict(zip(of["ranker"]["items"], of["ranker"]["scores"], strict=True))
    assert [each.score for each in answer.items] == [scores.get(item) for item in items]
    assert all(each.title and each.brand and each.category and each.price for each in answer.items)
    assert "g871" not in items or "item" not in INPUTS[name]


def test_carousels_differ_and_go_by_what_they_are_given(world: World) -> None:
    def items(name: str, **inputs: object) -> list[str]:
        return [each["item"] for each in asked(world, name, {"inputs": {**INPUTS[name], **inputs}})[0]["items"]]

    slates = {name: tuple(items(name)) for name in CAROUSELS}
    assert len(set(slates.values())) == len(CAROUSELS)
    assert items("similar-items", item="g204") != list(slates["similar-items"])
    assert items("recently-viewed", viewed="g204, g871") != list(slates["recently-viewed"])
    assert items("popular-near-you", country="JP") != list(slates["popular-near-you"])
    assert len(items("for-you", k=3)) == 3


def test_arms_that_are_asked_for_hold(world: World) -> None:
    versions = {}
    for arm in ("control", "v2"):
        told, events = asked(world, "for-you", {"inputs": USER, "arms": {"ranker": arm}})
        assert told["arms"]["ranker"] == events[0]["experiments"]["ranker"] == arm
        versions[arm] = told["version"]
    assert versions["control"] != versions["v2"]


def test_another_country_has_its_own_rules(world: World) -> None:
    _, events = asked(world, "popular-near-you", {"inputs": {**USER, "country": "BR"}})
    assert events[0]["segments"]["country"] == "BR"
    assert events[0]["context"]["season"] == "winter"


def test_faults_act_on_it(world: World) -> None:
    told, events = asked(world, "bought-together", {"inputs": PAGE}, "source_empty")
    assert told["items"] == []
    assert next(event for event in events if event["component"] == "covisit")["items"] == []
    late = [
        max(event["ts"] for event in asked(world, "similar-items", {"inputs": PAGE}, *faults)[1])
        for faults in ((), ("source_slow",))
    ]
    assert late[1] > late[0] + 150


def test_its_requests_do_not_change_the_traffic(world: World) -> None:
    plain, other = Traffic(world, 20.0, START), Traffic(world, 20.0, START)
    first, second = iter(plain), iter(other)
    for _ in range(1_500):
        next(first), next(second)
    other.asked(other.carousels.ask("popular-near-you", "r", START + 5, {"inputs": USER}))
    assert [next(first) for _ in range(300)] == [next(second) for _ in range(300)]


@pytest.mark.parametrize(
    ("name", "wanted", "told"),
    [
        ("for-you", {}, "user is required: a text"),
        ("for-you", {"inputs": {"user": "u9"}}, "user='u9' is not known: there are u00000 to u03999"),
        ("for-you", {"inputs": {"user": "u00001", "k": 41}}, "k=41 must be a whole number, at least 1, at most 40"),
        ("for-you", {"inputs": USER, "arms": {"ranker": "v3"}}, "arm ranker='v3' is not known: ranker has control, v2"),
        ("for-you", {"inputs": USER, "arms": {"rank": "v2"}}, "arm rank='v2' is not known: rank has none"),
        ("for-you", {"inputs": []}, "inputs and arms must be objects"),
        ("similar-items", {"inputs": {**USER, "item": "g1,g2"}}, "item is one"),
        ("similar-items", {"inputs": {**USER, "item": "h1"}}, "item='h1' is not known: there are g0 to g1205"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(world: World, name: str, wanted: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Traffic(world, 20.0, START).carousels.ask(name, "r", START, wanted)


def post(url: str, body: bytes, **headers: str) -> tuple[int, Mapping[str, str], Any]:
    sent = {name.replace("_", "-"): text for name, text in {"content_type": "application/json", **headers}.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, sent), timeout=30) as answered:
            return answered.status, dict(answered.headers), json.load(answered)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.load(error)


def test_by_http(world: World) -> None:
    traffic = Traffic(world, 20.0, START)

    async def recommend(name: str, request_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        if request_id == "broken":
            raise KeyError(name)
        ask = traffic.carousels.ask(name, request_id, START, wanted)
        return traffic.carousels.told(ask, traffic.asked(ask)[0])

    def conversation(base: str) -> None:
        url, body = f"{base}/recommend/for-you", json.dumps({"inputs": USER}).encode()
        status, headers, told = post(url, body, x_request_id="r-17")
        assert (status, headers["X-Request-Id"], told["request_id"]) == (200, "r-17", "r-17")
        assert len(told["items"]) == 20
        status, _, told = post(url, body, x_request_id="no id/")
        assert (status, len(told["request_id"])) == (200, 16)
        status, headers, told = post(url, b'{"inputs": {"user": "u9"}}', x_request_id="r-18")
        assert (status, headers["X-Request-Id"]) == (400, "r-18")
        assert "user='u9' is not known" in told["error"]
        assert post(url, body, content_type="text/plain")[0] == 415
        assert post(url, b"{")[0] == 400
        assert post(url, b"[]")[0] == 400
        assert post(url, b"[" * 60_000)[0] == 400
        assert post(url, b" " * 70_000)[0] == 413
        assert post(f"{base}/recommend/nothing", body)[0] == 404
        assert post(url, body, x_request_id="broken")[::2] == (500, {"error": "the recommender failed"})
        with urllib.request.urlopen(f"{base}/health", timeout=30) as answered:
            assert json.load(answered) == {"status": "ok"}

    async def run() -> None:
        with serving(LOOPBACK, 0, recommend) as port:
            await asyncio.to_thread(conversation, f"http://{LOOPBACK}:{port}")

    asyncio.run(run())
