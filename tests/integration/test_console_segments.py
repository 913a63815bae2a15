"""Segments, what is different about the bad ones, and experiments: on two minutes of requests, in the second of which a
filter drops nearly all in one country. Every number is known."""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from nicegui import ui
from nicegui.testing import User

from rectrace import database
from rectrace.changed_metrics import METRICS as OF_SEALED
from rectrace.settings import Settings
from rectrace.slicing import FAMILY, METRICS, SEALED, slices
from schemas.parts import InteractionRow, Part
from sinks.clickhouse.changes import Times
from sinks.clickhouse.client import connect
from sinks.clickhouse.slices import OTHERS, Slices, Within, by_one
from tests.support import changes, incident
from tests.support.console import rows, texts, visit
from tests.support.rule_shop import Shop

TIME = "from=2100-01-01T12:00:00Z&to=2100-01-01T12:01:00Z"
WHEN = "from=2100-01-01T12%3A00%3A00Z&to=2100-01-01T12%3A01%3A00Z"
NUMBERS = range(changes.EACH)  # of the requests since noon
PATIENT = 60


def country(number: int) -> str:
    return changes.COUNTRIES[number % 4]


def placement(number: int) -> str:
    return "home" if number % 5 else "cart"


def arm(number: int) -> str:
    return "v2" if number % 7 < 3 else "control"


def served(number: int) -> int:
    return (1 if number % 8 else 0) if number % 4 == 0 else 3


def in_city(number: int) -> Part:
    """Ten minutes before noon, two in each of thirty cities."""
    city = {"city": f"c{number % 30:02d}"}
    made = incident.Request(f"c{number}", number - 600_000, placement="home", k=1, user_id="u", segments=city)
    return made.add("response", "api", 1, items=["g1"]).part()


@pytest.fixture(scope="module")
def settings(clickhouse: str) -> Iterator[Settings]:
    """Who gets v2 clicks what is first; a rule finds one item at fault."""
    name = f"console_segments_{os.getpid()}"
    with connect(clickhouse) as client:
        shop = Shop(client, name)
        shop.publish({"id": "hat", "scope": "item", "when": "category = 'hat'"})
        shop.know("g1", category="hat")
        shop.made.land([changes.request(number) for number in range(-changes.EACH, changes.EACH)])
        shop.made.land(map(in_city, range(60)))
        shop.made.sink.write_interactions(
            [
                InteractionRow(f"r{number + changes.EACH}", "g1" if number % 4 == 0 else "g3", "click", at, 1, None, at)
                for number in NUMBERS
                if arm(number) == "v2" and served(number)
                for at in [incident.NOON_MS + number * 150 + 1_000]
            ]
        )
        shop.settle()
        yield Settings(clickhouse=clickhouse, database=name, experiments={"ranker": {"control": 4, "v2": 3}})
        client.command(f"DROP DATABASE {name} SYNC")


def test_sealed_windows_and_traces_count_the_same(settings: Settings) -> None:
    times = Times(incident.NOON, incident.NOON + timedelta(minutes=1), timedelta(minutes=1))
    with database.asking(settings) as reader:
        asking = Slices(reader, settings.database, times)
        found = asking.sealed("segment")
        for name in ("country", "device", "experiment.ranker"):
            sealed = by_one(found, name)
            traced = [{**row, "element": row["first"]} for row in asking.traced("serving", name, "", 400)]
            for metric in SEALED.values():
                told = [{each.values: each.pair for each in slices(each, metric, 60.0)} for each in (sealed, traced)]
                if metric.kind != "latency":
                    assert told[0] == told[1]
                assert told[0].keys() == told[1].keys()
        within = Slices(reader, settings.database, times, Within("home", (("country", "DE"), ("device", "ios"))))
        (before, now) = within.traced("serving", "placement", "", 400)
        assert before["requests"] == sum(
            number % 12 != 0 and number % 4 == 0 and number % 5 != 0 for number in range(400)
        )
        assert (now["first"], now["short"]) == ("home", now["requests"])
    assert OF_SEALED.keys() - SEALED.keys() == {"yield"}


def test_every_metric_that_only_traces_tell(settings: Settings) -> None:
    times = Times(incident.NOON, incident.NOON + timedelta(minutes=1), timedelta(minutes=1))
    with database.asking(settings) as reader:
        asking = Slices(reader, settings.database, times)

        def value(metric: str, first: str, element: str) -> float:
            found = asking.traced(FAMILY[metric], first, "", 400)
            told = slices([{**row, "element": row["first"]} for row in found], METRICS[metric], 0.0)
            (one,) = (each for each in told if each.values == (element,))
            return one.pair.now.share.value

        v2 = [number for number in NUMBERS if arm(number) == "v2"]
        assert value("candidates", "country", "DE") == 8.0
        assert value("yield", "country", "DE") == pytest.approx(0.5 / 8)
        assert value("ctr", "experiment.ranker", "v2") == sum(map(bool, map(served, v2))) / sum(map(served, v2))
        assert value("ctr", "experiment.ranker", "control") == 0
        assert value("violations", "country", "DE") == 0.5
        assert value("violations", "country", "US") == 0
        assert value("pressure", "placement", "home") == 0  # what the model says is served
        assert value("rule_slots", "placement", "home") == 0


def test_two_things_at_once(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/segments?{TIME}&by=country")
        await user.should_see(kind=ui.table, retries=PATIENT)
        found = {(row["first"], row["second"]): row for row in rows(user, "table-segments")}
        requests = Counter((country(number), placement(number)) for number in NUMBERS)
        assert {pair: row["requests"] for pair, row in found.items()} == requests
        worst = found["DE", "home"]
        assert next(iter(found)) == ("DE", "home")
        empty = sum(number % 8 == 0 and number % 5 != 0 for number in NUMBERS)
        assert worst["value"] == pytest.approx(empty / 80 * 100)
        assert worst["lost"] == pytest.approx(empty - 80 * (50 - empty) / 320)
        assert (worst["verdict"], worst["before"], worst["requests_before"]) == ("few requests", 0.0, 80)
        assert worst["requests_href"] == f"/requests?placement=home&segment=country%3DDE&status=empty&{WHEN}"
        assert (
            worst["first_href"]
            == f"/segments?by=device&across=experiment.ranker&placement=home&segment=country%3DDE&{WHEN}"
        )
        assert worst["different_href"].startswith(
            "/segments/different?placement=home&segment=country%3DDE&status=empty"
        )
        (chart,) = user.find(kind=ui.echart).elements
        assert (chart.options["yAxis"]["data"], chart.options["xAxis"]["data"]) == (
            ["FR", "DE", "US"],
            ["home", "cart"],
        )
        cells = {tuple(cell["value"][:2]): cell for cell in chart.options["series"][0]["data"]}
        assert len(cells) == 6
        assert cells[0, 1]["label"]["formatter"] == "50%"
        assert cells[0, 1]["visualMap"] is False
        assert "visualMap" not in cells[0, 0]
        said = " ".join(texts(user))
        assert (
            "empty responses: 400 requests sealed 2100-01-01 12:00:00 to 2100-01-01 12:01:00 UTC; counted from traces."
            in said
        )

    visit(settings, journey)


def test_one_thing_is_counted_by_what_is_sealed(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/segments?{TIME}&by=country&across=none&metric=short")
        await user.should_see(kind=ui.table, retries=PATIENT)
        found = rows(user, "table-segments")
        assert [(row["first"], row["verdict"], row["lost"]) for row in found[:1]] == [("DE", "worse", 100.0)]
        assert {row["first"]: row["verdict"] for row in found[1:]} == {"FR": "better", "US": "better"}
        assert not any("counted from traces" in text for text in texts(user))
        # the narrower view, of a segment alone
        await user.open(f"/segments?{TIME}&by=device&across=experiment.ranker&metric=short&segment=country%3DDE")
        await user.should_see(kind=ui.table, retries=PATIENT)
        found = rows(user, "table-segments")
        assert sum(row["requests"] for row in found) == 100
        assert {row["value"] for row in found} == {100.0}
        assert "requests_href" in found[0]
        assert "&arm=" in found[0]["requests_href"]
        assert f"segment=country%3DDE%2Cdevice%3D{found[0]['first']}" in found[0]["requests_href"]
        await user.open(found[0]["requests_href"])
        await user.should_see(f"{found[0]['requests']:.0f} requests", retries=PATIENT)

    visit(settings, journey)


def test_what_cannot_be_asked_is_said(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open("/segments?metric=nonsense")
        await user.should_see("metric='nonsense' is none of requests, empty")
        await user.open("/segments?by=country&across=country")
        await user.should_see("across='country' is what requests are told apart by already")
        await user.open(f"/segments?{TIME}&by=planet")
        await user.should_see("No request says anything of 'planet' in that time.", retries=PATIENT)
        await user.open("/segments?from=2099-01-01T12:00:00Z&to=2099-01-01T12:01:00Z")
        await user.should_see("No requests are sealed in that time.", retries=PATIENT)
        await user.open("/segments/different?segment=DE")
        await user.should_see("segment='DE' is not NAME=VALUE, such as country=DE,device=ios")
        await user.open("/segments/different")
        await user.should_see("Which requests are the bad ones?")
        await user.open(f"/segments/different?{TIME}&status=fallback")
        await user.should_see("There are no fallback requests in that time.", retries=PATIENT)

    visit(settings, journey)


def test_what_is_different_about_the_empty_ones(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/segments/different?{TIME}&status=empty")
        await user.should_see(kind=ui.table, retries=PATIENT)
        said = texts(user)
        assert any(text.startswith("Commoner among empty requests than among the others: ") for text in said)
        assert "50 empty requests against 350 others, sealed 2100-01-01 12:00:00 to 2100-01-01 12:01:00 UTC." in said
        found = {row["says"]: row for row in rows(user, "table-different")}
        for says in ("region lets nothing through", "region drops more than 7 as region_blocked"):
            assert (found[says]["bad"], found[says]["rest"], found[says]["sure"]) == (100, 0, "real")
        where = found["country=DE"]
        assert (where["bad"], where["rest"], where["sure"]) == (100, pytest.approx(50 / 350 * 100), "real")
        assert where["bad_with_href"] == f"/requests?status=empty&segment=country%3DDE&{WHEN}"
        assert found["country=FR"]["explains"] < 0
        assert found["ann 2.3.1"]["sure"] == "may be chance"
        # of a segment: what both minutes have, and the rule's requests
        await user.open(f"/segments/different?{TIME}&segment=country%3DDE&placement=home")
        await user.should_see(kind=ui.table, retries=PATIENT)
        assert any("80 requests with country=DE against 240 others at home" in text for text in texts(user))
        await user.open(f"/segments/different?{TIME}&rule=hat&placement=cart")
        await user.should_see(kind=ui.table, retries=PATIENT)
        at_fault = sum(number % 8 == 4 and number % 5 == 0 for number in NUMBERS)
        assert any(f"{at_fault} requests at fault by hat against" in text for text in texts(user))

    visit(settings, journey)


def test_experiments(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/experiments?{TIME}")
        await user.should_see(kind=ui.table, retries=PATIENT)
        (row,) = rows(user, "table-experiments")
        assert (row["experiment"], row["requests"], row["users"]) == ("ranker", 400, 100)
        assert row["split"] == "too few users"
        await user.open(str(row["experiment_href"]) + "&by=country&metric=ctr")
        await user.should_see(marker="slice-looks", retries=3 * PATIENT)
        said = texts(user)
        assert "100 users are too few to test the split: it takes 1,000 users, 5 in each arm." in said
        arms = {each["arm"]: each for each in rows(user, "table-arms")}
        counts = Counter(map(arm, NUMBERS))
        assert {name: each["requests"] for name, each in arms.items()} == counts
        assert arms["control"]["planned"] == pytest.approx(400 / 7)
        assert arms["v2"]["requests_href"] == f"/requests?arm=ranker%3Dv2&{WHEN}"
        told = {each["what"]: each for each in rows(user, "table-metrics")}
        assert told.keys() == {metric.says for metric in METRICS.values()} - {"requests"}
        clicks = told["clicks of impressions (CTR)"]
        assert (clicks["arm"], clicks["control"], clicks["verdict"]) == ("v2", "0%", "better")
        assert told["empty responses"]["verdict"] == ""
        assert told["empty responses"]["requests_href"].startswith("/requests?arm=ranker%3Dv2&status=empty")
        sliced = {each["value"]: each for each in rows(user, "table-slices")}
        assert sliced["DE"]["verdict"] == "few requests"
        assert any(text.startswith(f"{len(told)} comparisons. If the arms did nothing, about ") for text in said)
        await user.open(f"/experiments/nothing?{TIME}")
        await user.should_see("No request was in an experiment 'nothing' in that time.", retries=PATIENT)

    visit(settings, journey)


def test_without_a_plan_nothing_is_tested(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/experiments?{TIME}")
        await user.should_see(kind=ui.table, retries=PATIENT)
        assert [row["split"] for row in rows(user, "table-experiments")] == ["no plan"]

    visit(settings.model_copy(update={"experiments": {}}), journey)


def test_rare_values_go_together(settings: Settings) -> None:
    """Of thirty cities twenty-five keep their name."""
    since = incident.NOON - timedelta(minutes=10)
    times = Times(since, since + timedelta(minutes=1), timedelta(minutes=1))
    with database.asking(settings) as reader:
        found = Slices(reader, settings.database, times).traced("serving", "city", "", 60)
    counts = Counter({row["first"]: row["requests"] for row in found})
    assert (len(counts), counts[OTHERS], counts.total()) == (26, 10, 60)
