"""The pages of the Playground, as a simulated browser sees them, with little recommenders that answer by HTTP."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nicegui import ui
from nicegui.testing import User

from rectrace.settings import Playground, Settings
from sinks.clickhouse.client import connect
from tests.support import incident
from tests.support.console import texts, visit
from tests.support.database import Database
from tests.support.recommender import Asked, Reply, TestRecommender, slate

PATIENT = 100  # looks at what is to come, a tenth of a second apart
SCRIPT = "<script>alert(1)</script>"
REGISTRY = """\
- id: near
  name: Near you
  description: What people buy near the user.
  target: user
  result: product
  url: BASE/near
  health: BASE/health
  placement: home
  arms: {ranker: [control, v2]}
  inputs:
    - {name: user, type: text, required: true, description: any}
    - {name: k, type: integer, minimum: 1, default: 3}
    - {name: sale, type: boolean}
    - {name: country, type: choice, choices: [NO, DE]}
- {id: slow, name: Slow, target: user, result: product, url: BASE/slow, placement: home,
   inputs: [{name: user, type: text}]}
- {id: broken, name: Broken, target: user, result: product, url: BASE/broken, health: BASE/broken, placement: home}
- {id: forbidden, name: Forbidden, target: user, result: product, url: "http://169.254.169.254/near"}
- {id: odd, name: Odd, target: item, result: product, url: BASE/odd, versions: ["1", "2"]}
"""


@dataclass
class Shop:
    """Recommenders, and the console's settings."""

    database: Database
    settings: Settings
    recommender: TestRecommender
    go_on: threading.Event  # the slow one answers


@pytest.fixture(scope="module")
def shop(clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    name = f"playground_{os.getpid()}"
    go_on = threading.Event()
    with connect(clickhouse) as client, connect(clickhouse) as other:
        made = incident.create(client, name)
        landing = Database(other, name, incident.JOURNEY)

        def answer(asked: Asked) -> Reply:
            if asked.path == "/near":
                return _near(asked, landing)
            return {
                "/health": lambda: Reply(b"{}"),
                "/slow": lambda: Reply(b"{}", wait=0 if go_on.wait(60) else 60),
                "/broken": lambda: Reply(f"{SCRIPT} no".encode(), 500),
                "/odd": lambda: slate("another", "g1", SCRIPT),
            }[asked.path]()

        with TestRecommender(answer) as recommender:
            file = tmp_path_factory.mktemp("registry") / "registry.yaml"
            file.write_text(REGISTRY.replace("BASE", recommender.base))
            playground = Playground(registry=str(file), allowed=(recommender.base,), timeout=60, wait=2)
            yield Shop(made, Settings(clickhouse=clickhouse, database=name, playground=playground), recommender, go_on)
        client.command(f"DROP DATABASE {name} SYNC")


def _near(asked: Asked, landing: Database) -> Reply:
    """A request whose stages land as soon as it is answered; arm v2 has another order."""
    journey = incident.journey(asked.request_id, 30_000, dropped={"out_of_stock": ["g3"]})
    landing.land([journey.part()])
    items = ["g2", "g1", "g9"] if asked.body.get("arms") else ["g1", "g2", "g5"]
    return slate(asked.request_id, *items, placement="home", version="1.4.0")


def asks(shop: Shop, path: str) -> list[Asked]:
    return [each for each in shop.recommender.asked if each.path == path]


def test_browsing(shop: Shop) -> None:
    async def journey(user: User) -> None:
        await user.open("/playground")
        await user.should_see("healthy (", retries=PATIENT)
        await user.should_see("It answers HTTP 500 Internal Server Error.", retries=PATIENT)
        said = texts(user)
        assert {"Near you", "What people buy near the user.", "user → product at home", "ranker control or v2"} <= set(
            said
        )
        assert "asks for user, k (optional), sale (optional), country (optional)" in said
        assert "health not known: the registry names no address for it" in said
        assert any(each.startswith("http://169.254.169.254 may not be asked: playground.allowed") for each in said)
        with user:
            assert len(user.find(marker="recommender").elements) == 5

    visit(shop.settings, journey)
    assert {each.path for each in shop.recommender.asked} <= {"/health", "/broken"}


def test_the_form_asks_and_the_journey_of_that_request_follows(shop: Shop) -> None:
    async def journey(user: User) -> None:
        await user.open("/playground/near")
        await user.should_see("Asking is a real request")
        user.find(marker="submit").click()
        await user.should_see("required: a text")
        assert user.back_history[-1] == "/playground/near"
        assert asks(shop, "/near") == []
        user.find(marker="ask-user").type("u 7&")
        user.find(marker="submit").click()
        await user.should_see("3 items after", retries=PATIENT)
        assert user.back_history[-1] == "/playground/near?user=u+7%26&k=3&ask=1"
        (asked,) = asks(shop, "/near")
        assert asked.body == {"inputs": {"user": "u 7&", "k": 3}}
        await user.should_see("served 3 of 3 slots in 68 ms", retries=PATIENT)
        said = texts(user)
        assert {"Garment g1", "10.00", "at home · version 1.4.0", "scoring · ranker"} <= set(said)
        with user:
            (link,) = user.find(marker="journey").elements
            assert link.props["href"] == f"/requests/{asked.request_id}"
            assert len(user.find(marker="product").elements) == 3
            assert len(user.find(kind=ui.echart).elements) == 1

    visit(shop.settings, journey)


def test_side_by_side(shop: Shop) -> None:
    async def journey(user: User) -> None:
        await user.open("/playground/near?user=u1&right=near&right.arm.ranker=v2&ask=1")
        await user.should_see(
            "2 items in both, 2 of them at another place; 1 only left, 1 only right.", retries=PATIENT
        )
        said = texts(user)
        assert {"Near you", "Near you · ranker=v2", "↓1 against right", "↑1 against right", "↓1 against left"} <= set(
            said
        )
        assert said.count("only here") == 2
        await user.should_see("served 3 of 3 slots in 68 ms", retries=PATIENT)
        user.find(marker="ask-right.arm.ranker").click()
        user.find("control").click()
        await user.should_not_see("served 3 of 3 slots in 68 ms", retries=PATIENT)  # the form alone
        assert user.back_history[-1] == "/playground/near?user=u1&k=3&right=near&right.arm.ranker=control"

    visit(shop.settings, journey)
    bodies = [each.body for each in asks(shop, "/near")[-2:]]
    assert sorted(map(str, bodies)) == sorted(
        map(str, [{"inputs": {"user": "u1", "k": 3}}, {"inputs": {"user": "u1", "k": 3}, "arms": {"ranker": "v2"}}])
    )


def test_all_of_a_placement_each_with_its_own_state(shop: Shop) -> None:
    async def journey(user: User) -> None:
        await user.open("/playground?placement=home&user=u1&sale=false&ask=1")
        await user.should_see("3 items after", retries=PATIENT)
        await user.should_see("It answers HTTP 500 Internal Server Error.", retries=PATIENT)
        assert "Asking Slow …" in texts(user)
        shop.go_on.set()
        await user.should_see("What it answered is wrong:", retries=PATIENT)
        said = texts(user)
        assert f"{SCRIPT} no" in said
        assert said.index("Near you") < said.index("Slow") < said.index("Broken")

    visit(shop.settings, journey)
    assert asks(shop, "/near")[-1].body == {"inputs": {"user": "u1", "k": 3, "sale": False}}
    assert asks(shop, "/slow")[-1].body == {"inputs": {"user": "u1"}}


def test_an_answer_of_which_nothing_lands(shop: Shop) -> None:
    async def journey(user: User) -> None:
        await user.open("/playground/odd?version=2&ask=1")
        await user.should_see("calls itself another: it does not keep the header X-Request-Id.", retries=PATIENT)
        await user.should_see("Waiting for its stages to land, for up to 2 s …")
        await user.should_see("Nothing has landed of request another within 2 s.", retries=PATIENT)
        said = texts(user)
        assert SCRIPT in said
        with user:
            assert not [each for each in user.current_layout.descendants() if isinstance(each, ui.html | ui.markdown)]

    visit(shop.settings, journey)
    assert asks(shop, "/odd")[-1].body == {"inputs": {}, "version": "2"}


def test_what_cannot_be_asked_is_not(shop: Shop) -> None:
    before = len(shop.recommender.asked)

    async def journey(user: User) -> None:
        for address, told in (
            ("near?user=u&k=0&ask=1", "k='0' must be a whole number, at least 1"),
            ("near?ask=1", "Near you: user is required: a text"),
            ("near?usr=u", "usr is nothing that can be given here; did you mean 'user'?"),
            ("near?arm.ranker=v3", "arm.ranker='v3' is none of control, v2"),
            ("near?right=far", "right='far' is none of near, slow, broken, forbidden, odd"),
            ("near?right=odd&right.version=3", "right.version='3' is none of 1, 2"),
            ("far", "There is no recommender 'far'."),
            ("forbidden?ask=1", "http://169.254.169.254 may not be asked: playground.allowed"),
        ):
            await user.open(f"/playground/{address}")
            await user.should_see(told, retries=PATIENT)
        await user.open("/playground?placement=cart")
        await user.should_see("placement='cart' has no recommenders; there are home")

    visit(shop.settings, journey)
    assert len(shop.recommender.asked) == before


def test_a_program_that_fetches_an_address_asks_nobody(shop: Shop) -> None:
    before = len(shop.recommender.asked)

    async def journey(user: User) -> None:
        page = await user.http_client.get("/playground/near?user=u1&ask=1")
        assert page.status_code == 200
        assert "Near you" in page.text

    visit(shop.settings, journey)
    assert len(shop.recommender.asked) == before


def test_no_registry_and_a_wrong_one(shop: Shop, tmp_path: Path) -> None:
    def console(registry: str) -> Settings:
        return shop.settings.model_copy(update={"playground": Playground(registry=registry)})

    async def nothing(user: User) -> None:
        await user.open("/playground")
        await user.should_see("No recommender is known here.")

    async def wrong(user: User) -> None:
        await user.open("/playground/near")
        await user.should_see("The registry of recommenders cannot be used.")
        assert "registry.yaml:1:3: recommender near, name: required field is missing" in " ".join(texts(user))

    (tmp_path / "registry.yaml").write_text("- {id: near, target: user, result: product, url: 'http://a/'}\n")
    visit(console(""), nothing)
    visit(console(str(tmp_path / "registry.yaml")), wrong)
