"""The page of what is going on now, as a simulated browser sees it: two half minutes, in the second of which a filter
drops nearly all in one country."""

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest
from nicegui import ui
from nicegui.testing import User
from nicegui.testing.user_interaction import UserInteraction

from rectrace.console.pages import live
from rectrace.settings import Settings
from schemas.alerts import AlertState, Evaluation
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Layout, migrate
from tests.support import changes, incident
from tests.support.console import rows, texts, visit
from tests.support.rule_shop import Shop

NOON = int(incident.NOON.timestamp())
PATIENT = 80
FIRES = AlertState(
    "EmptyResponses", {"placement": "home"}, "page", "firing", NOON, [(NOON, "b")], told=True,
    annotations={"summary": "Many are empty."},
)  # fmt: skip


@pytest.fixture(scope="module")
def settings(clickhouse: str) -> Iterator[Settings]:
    name = f"console_live_{os.getpid()}"
    with connect(clickhouse) as client:
        shop = Shop(client, name)
        shop.publish({"id": "none", "scope": "slate", "severity": "page", "when": "n_served = 0"})
        half = changes.EACH // 2  # of each minute the second half: three windows
        shop.made.land([changes.request(number) for n in range(half) for number in (n - half, n + half)])
        shop.settle()
        waits = AlertState("NoResponse", {"placement": "cart"}, "page", "pending", NOON, [(NOON, "b")])
        ClickHouseAlerts(client, name).save([Evaluation("sealed", NOON + 50, 1, "judged", [FIRES, waits])])
        yield Settings(clickhouse=clickhouse, database=name)
        client.command(f"DROP DATABASE {name} SYNC")


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(PATIENT):
        if holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not in time")


def tile(user: User, name: str) -> list[str]:
    with user:
        (card,) = user.find(kind=ui.card, marker=f"tile-{name}").elements
        return [each.text for each in card.descendants() if isinstance(each, ui.label)]


def test_what_is_going_on(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open("/")
        await user.should_see(marker="tile-empty", retries=PATIENT)
        said = texts(user)
        assert any(text.startswith("Sealed until 2100-01-01 12:01:00 UTC.") for text in said)
        assert any("The last minute before that, against the minute before;" in text for text in said)
        assert tile(user, "requests/s") == ["requests/s", "3.3", "3.3 the minute before"]
        assert tile(user, "empty") == ["empty", "12.5%", "0.0% the minute before"]
        assert tile(user, "short") == ["short", "25.0%", "0.0% the minute before"]
        assert tile(user, "p95")[1].endswith(" ms")
        (firing,) = rows(user, "table-firing")
        assert (firing["alert"], firing["alert_href"]) == ("EmptyResponses", f"/alerts/{FIRES.fingerprint}")
        assert firing["summary"] == "Many are empty."
        funnel = {row["component"]: row for row in rows(user, "table-funnel")}
        assert list(funnel) == ["ann", "region", "ranker", "top_k", "api"]
        assert (funnel["ann"]["taken"], funnel["ann"]["passed"], funnel["ann"]["passed_before"]) == (None, 8.0, 8.0)
        assert (funnel["region"]["taken"], funnel["region"]["yield_before"]) == (8.0, 75.0)
        assert funnel["region"]["yield"] == pytest.approx((150 * 6 + 25 * 1) / (200 * 8) * 100)
        (source,) = rows(user, "table-sources")
        assert (source["source"], source["retrieved"]) == ("ann", 8.0)
        assert source["yield"] < source["yield_before"] == pytest.approx(37.5)
        worst = rows(user, "table-segments")[0]
        assert (worst["segment"], worst["placement"], worst["bad"], worst["others"]) == (
            "country=DE",
            "home",
            25.0,
            0.0,
        )
        assert worst["segment_href"].startswith("/requests?placement=home&segment=country%3DDE&from=2100-01-01T11%3A56")
        (rule,) = rows(user, "table-rules")
        assert (rule["state"], rule["rule"], rule["found"], rule["share"]) == ("new", "none", 25, 12.5)
        assert rule["rule_href"].startswith("/requests?rule=none&from=2100-01-01T12%3A00%3A00")
        assert rule["example1_href"] == f"/requests/{rule['example1']}"

    visit(settings, journey)


def test_one_placement(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open("/?placement=cart")
        await user.should_see(marker="tile-empty", retries=PATIENT)
        assert tile(user, "requests/s")[1] == "0.7"
        await user.should_not_see(marker="table-firing")  # the alert is of another one
        assert any(text.startswith("None by more than chance. The last 5 min;") for text in texts(user))
        with user:
            (choice,) = user.find(kind=ui.select, marker="placement").elements
            assert choice.options == {"": "all placements", "cart": "cart", "home": "home"}
            choice.set_value("home")
        await until(lambda: user.back_history[-1] == "/?placement=home")
        await user.open("/?placement=moon")
        await user.should_see(marker="tile-empty", retries=PATIENT)
        assert [tile(user, name)[1] for name in ("requests/s", "empty", "p95")] == ["0.0", "-", "-"]

    visit(settings, journey)


def test_what_has_not_been_sealed_yet(clickhouse: str, database: str) -> None:
    with connect(clickhouse) as client:
        migrate(client, Layout(database))

    async def journey(user: User) -> None:
        await user.open("/")
        await user.should_see("Nothing is sealed yet.", retries=PATIENT)

    visit(Settings(clickhouse=clickhouse, database=database), journey)


def test_it_looks_again_and_keeps_the_last_answer_while_there_is_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY", 0.3)

    async def journey(user: User) -> None:
        def said(text: str) -> bool:
            return any(text in each for each in texts(user))

        await user.open("/")
        await user.should_see(marker="tile-empty", retries=PATIENT)
        with connect(settings.clickhouse, settings.database) as client:
            client.command("RENAME TABLE sealed TO away")
            try:
                await until(lambda: said("lacks tables"))
                assert said("What is below is of 12:01:00 UTC. It is asked again every 0.3 s.")
                assert tile(user, "empty")[1] == "12.5%"
            finally:
                client.command("RENAME TABLE away TO sealed")
            await until(lambda: not said("lacks tables"))
            with user:
                page = UserInteraction(user, {user.current_layout}, None)
            page.trigger("page_hidden", True)
            await until(lambda: said("Stopped while nobody sees it."))
            later = AlertState("NoResponse", {"placement": "home"}, "page", "firing", NOON, [(NOON, "b")])
            ClickHouseAlerts(client, settings.database).save(
                [Evaluation("sealed", NOON + 60, 1, "judged", [FIRES, later])]
            )
            await asyncio.sleep(1)
            assert len(rows(user, "table-firing")) == 1
            page.trigger("page_hidden", False)
            await until(lambda: len(rows(user, "table-firing")) == 2)

    visit(settings, journey)


def test_clickhouse_away_is_said() -> None:
    async def journey(user: User) -> None:
        await user.open("/")
        await user.should_see("nothing listens at http://127.0.0.1:1", retries=PATIENT)

    visit(Settings(clickhouse="http://127.0.0.1:1"), journey)
