"""The pages of the console, as a simulated browser sees them, on a database in which things go wrong."""

import asyncio
import csv
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from nicegui import ui
from nicegui.testing import User
from pydantic import SecretStr

from rectrace import database
from rectrace.console import states
from rectrace.console.asking import Asker
from rectrace.settings import Console, Settings
from schemas.parts import CatalogRow, InteractionRow
from sinks.clickhouse.client import connect
from tests.support import incident
from tests.support.console import rows, texts, visit
from tests.support.rule_shop import Shop

TIME = "from=2100-01-01T12:00:00Z&to=2100-01-01T12:01:00Z"
SCRIPT = "<script>alert(1)</script>"
ODD = "g<b>1</b>/?#"
PATIENT = 60  # looks at what is to come, a tenth of a second apart


@pytest.fixture(scope="module")
def settings(clickhouse: str) -> Iterator[Settings]:
    name = f"console_{os.getpid()}"
    odd = incident.Request("odd/1?<i>", 28_000, placement="home", k=1, user_id="u&5", segments={"country": "DE"})
    odd.add("retrieval", "ann", 9, items=[ODD, "g1"]).add("response", "api", 1, duration_ms=10, items=[ODD])
    with connect(clickhouse) as client:
        made = incident.create(client, name, [odd.part()])
        made.sink.write_catalog([CatalogRow(ODD, incident.NOON_MS - 100_000, title=SCRIPT)])
        made.sink.write_interactions(
            [InteractionRow("whole", "g1", "click", incident.NOON_MS + 9_000, 1, None, incident.NOON_MS + 9_003)]
        )
        shop = Shop(client, name)
        shop.publish({"id": "knit", "scope": "item", "when": "category = 'knit' AND has(sources, 'ann')"})
        shop.know("g1", category="knit", at=incident.NOON_MS - 1_000)
        shop.seal.seal(int(incident.NOON.timestamp()))
        yield Settings(clickhouse=clickhouse, database=name)
        client.command(f"DROP DATABASE {name} SYNC")


def test_requests_by_what_people_know_of_them(settings: Settings) -> None:
    found: dict[str, list[object]] = {}
    asked = {
        "": ["odd/1?<i>", "twice", "unanswered", "empty", "fallback", "whole-2", "whole"],
        "user=u-1&status=empty": ["empty"],
        "item=g5&fate=served": ["fallback", "whole-2", "whole"],
        "item=g3&fate=dropped&segment=country%3DFR": ["whole-2"],
        "version=ranker%3D1.4.0": ["whole-2", "whole"],
        "rule=knit": ["whole-2", "whole"],
        "arm=ranker%3Dv2&placement=home&limit=1": ["whole-2"],
    }

    async def journey(user: User) -> None:
        for query in asked:
            await user.open(f"/requests?{TIME}&{query}")
            await user.should_see(kind=ui.table, retries=PATIENT)
            found[query] = [row["request_id"] for row in rows(user, "table-requests")]
        assert "The newest 1 such requests" in texts(user)
        (first,) = rows(user, "table-requests")
        assert first["request_id_href"] == "/requests/whole-2"
        assert first["segments"] == "country=FR device=ios"

    visit(settings, journey)
    assert found == asked


def test_requests_that_are_not_there_or_cannot_be_asked_for(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/requests?{TIME}&placement=hoem")
        await user.should_see("no placement 'hoem' then; there was cart, home", retries=PATIENT)
        await user.open(f"/requests?{TIME}&version=ranker%3D9")
        await user.should_see("no version 'ranker=9' then; there was ann=2.3.1, ranker=1.4.0", retries=PATIENT)
        await user.open("/requests?status=failed")
        await user.should_see("status='failed' is none of empty, short")
        await user.open("/requests?from=yesterday")
        await user.should_see("from='yesterday' is no time")

    visit(settings, journey)


def test_the_form_leads_to_an_address(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/requests?{TIME}")
        await user.should_see(kind=ui.table, retries=PATIENT)
        user.find(marker="ask-user").type("u-2").trigger("keydown.enter")
        await user.should_see("1 requests", retries=PATIENT)
        assert user.back_history[-1] == ("/requests?user=u-2&from=2100-01-01T12%3A00%3A00Z&to=2100-01-01T12%3A01%3A00Z")
        assert [row["request_id"] for row in rows(user, "table-requests")] == ["fallback"]

    visit(settings, journey)


def test_a_table_is_exported_as_it_is_filtered(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/requests?{TIME}&find=fallback&sort=-total_ms")
        await user.should_see(kind=ui.table, retries=PATIENT)
        user.find(marker="csv-requests").click()
        as_csv = (await user.download.next(timeout=10)).text
        user.find(marker="json-requests").click()
        as_json = (await user.download.next(timeout=10)).text
        (row,) = csv.DictReader(io.StringIO(as_csv))
        assert (row["request_id"], row["n_served"], row["status"]) == (
            "fallback",
            "2",
            "short, fallback, timeout, slow",
        )
        assert [each["total_ms"] for each in json.loads(as_json)] == [1222.0]
        (table,) = user.find(kind=ui.table).elements
        assert table.props["filter"] == "fallback"
        assert table.props["pagination"] == {"rowsPerPage": 25, "sortBy": "total_ms", "descending": True}

    visit(settings, journey)


def test_one_request(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open("/requests/whole")
        await user.should_see("served 3 of 3 slots in 68 ms", retries=PATIENT)
        said = texts(user)
        assert "closed: complete" in said
        assert "boost boost_new_season" in said
        assert "model rank 2 ↑1" in said
        candidates = {row["item"]: row for row in rows(user, "table-candidates")}
        assert len(candidates) == 7
        assert candidates["g3"]["ended"] == "dropped in filtering by stock: out_of_stock"
        assert candidates["g3"]["sentence"] == "ann brought it at rank 3, dropped in filtering by stock: out_of_stock"
        assert candidates["g1"]["sources"] == "ann#1"
        assert str(candidates["g1"]["item_href"]).startswith("/items/g1?from=2100-01-01T11%3A50%3A01")
        assert [(row["kind"], row["item"]) for row in rows(user, "table-interactions")] == [("click", "g1")]
        (violation,) = rows(user, "table-violations")
        assert (violation["rule"], violation["item"], violation["position"]) == ("knit", "g1", 1)
        assert violation["rule_href"] == "/rules/knit"
        assert "category = knit" in violation["values"]
        (chart,) = user.find(kind=ui.echart).elements
        links = chart.options["series"][0]["links"]
        assert {"source": "reached filtering", "target": "reached ordering", "value": 5} in links
        assert sum(link["value"] for link in links if link["target"] == "served") == 3

    visit(settings, journey)


@pytest.mark.parametrize(
    ("request_id", "said"),
    [
        ("fallback", ["served 2 of 3 slots by fallback in 1,222 ms, short, timeout, slow", "scoring · ranker"]),
        ("empty", ["served 0 of 2 slots in 1 ms, empty, short"]),
        ("unanswered", ["no response, incomplete", "expected and not come: ranker"]),
        ("orphan", ["its request event was never seen: an orphan, in no funnel and no metric"]),
        ("twice", ["events that came again with other contents: 1; the first by record time counts"]),
        ("never", ["Nothing is known of request 'never'."]),
    ],
)
def test_a_request_of_which_something_is_wrong(settings: Settings, request_id: str, said: list[str]) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/requests/{request_id}")
        await user.should_see(said[0], retries=PATIENT)
        assert set(said) <= set(texts(user)) | {text for text in texts(user) if text.startswith(said[0])}

    visit(settings, journey)


def test_two_requests_side_by_side(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open("/compare?left=whole")
        await user.should_see("Compare it with", retries=PATIENT)
        assert "its user's request before: quiet-3" in texts(user)
        user.find("the nearest in time at its placement: whole-2").click()
        await user.should_see("What else differs", retries=PATIENT)
        assert user.back_history[-1] == "/compare?left=whole&right=whole-2"
        assert "Both served the same 3 items in the same order." in texts(user)
        facts = {row["name"]: (row["left"], row["right"]) for row in rows(user, "table-facts")}
        assert facts["country"] == ("DE", "FR")
        assert facts["scoring · ranker"] == ("1.4.0, 5 out", "1.4.0, 6 out")
        assert "placement" not in facts
        differences = {row["item"]: row["difference"] for row in rows(user, "table-items")}
        assert differences["g6"].startswith("dropped in filtering by stock: seen, right ")
        assert differences["g1"] == ""
        await user.open("/compare?left=whole&right=never")
        await user.should_see("Nothing is known of request 'never'.", retries=PATIENT)

    visit(settings, journey)


def test_an_item(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/items/g3?{TIME}")
        await user.should_see("all of them", retries=PATIENT)
        said = texts(user)
        assert (
            "g3 (Quilted Ski Jacket) is not shown: of its 4 candidacies 50% were dropped in filtering by stock: "
            in (" ".join(said))
        )
        assert "The catalogue says it is not available." in said
        endings = {row["what"]: (row["now"], row["before"]) for row in rows(user, "table-endings")}
        assert endings["dropped in filtering by stock: out_of_stock"] == (2, 0)
        assert [row["source"] for row in rows(user, "table-sources")] == ["ann"]
        (germany, france) = rows(user, "table-segments")
        assert (germany["segment"], germany["candidacies"], germany["served"]) == ("country=DE", 3, 0)
        assert (france["segment"], france["mostly"]) == ("country=FR", "dropped in filtering by stock: out_of_stock")
        assert "None." in said
        assert [row["request_id"] for row in rows(user, "table-requests")] == ["empty", "fallback", "whole-2", "whole"]
        (chart,) = user.find(kind=ui.echart).elements
        assert sum(sum(each["data"]) for each in chart.options["series"]) == sum(
            told["now"] + told["before"] for told in rows(user, "table-endings")
        )

    visit(settings, journey)


def test_what_an_item_would_need_and_which_rules_touch_it(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/items/g1?{TIME}")
        await user.should_see("all of them", retries=PATIENT)
        assert [text for text in texts(user) if text.startswith("By its score alone")] == [
            "By its score alone it would have been served in 100% of the time (2 requests scored it): its score is "
            "0.28 (rank 2 of 5), and the last of 3 slots takes 0.17 (medians)."
        ]
        touched = [(row["rule"], row["action"], row["times"], row["served"]) for row in rows(user, "table-rules")]
        assert touched == [("boost_new_season", "boost", 2, 2), ("knit", "at fault", 2, 2)]

    visit(settings, journey)


def test_an_item_that_nothing_is_known_of(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/items/g99?{TIME}")
        await user.should_see("g99 is not shown because no source brings it: in none of 7 requests.", retries=PATIENT)
        await user.open("/items/g1?segment=DE")
        await user.should_see("segment='DE' is not NAME=VALUE")
        await user.open(f"/items/g1?{TIME}&segment=country%3DMARS")
        await user.should_see(
            "No outcomes are kept for 'country=MARS'; there are country=DE, country=FR.", retries=PATIENT
        )

    visit(settings, journey)


def test_what_users_call_things_is_text(settings: Settings) -> None:
    """An id with everything in it that means something to a URL or to HTML leads to its own page."""

    async def journey(user: User) -> None:
        await user.open(f"/requests?{TIME}&user=u%265")
        await user.should_see(kind=ui.table, retries=PATIENT)
        (row,) = rows(user, "table-requests")
        assert row["request_id_href"] == "/requests/odd%2F1%3F%3Ci%3E"
        page = await user.http_client.get(str(row["request_id_href"]))
        assert "<i>" not in page.text
        await user.open(str(row["request_id_href"]))
        await user.should_see("served 1 of 1 slots in 10 ms", retries=PATIENT)
        assert SCRIPT in texts(user)
        with user:
            assert not [each for each in user.current_layout.descendants() if isinstance(each, ui.html | ui.markdown)]
        candidates = {row["item"]: row for row in rows(user, "table-candidates")}
        await user.open(str(candidates[ODD]["item_href"]))
        await user.should_see(f"{ODD} ({SCRIPT}) is shown", retries=PATIENT)

    visit(settings, journey)


def test_the_search_box_leads_to_what_was_typed(settings: Settings) -> None:
    async def journey(user: User) -> None:
        for text, leads in (
            ("whole", "/requests/whole"), ("u-3", "/requests?user=u-3&from=now-2d"), ("g7", "/items/g7"),
            ("u&5", "/requests?user=u%265&from=now-2d"), (ODD, "/items/g%3Cb%3E1%3C%2Fb%3E%2F%3F%23"),
        ):  # fmt: skip
            await user.open("/items")
            user.find(marker="search").type(text).trigger("keydown.enter")
            for _ in range(PATIENT):
                if user.back_history[-1] == leads:
                    break
                await asyncio.sleep(0.1)
            assert user.back_history[-1] == leads
        await user.open("/search?q=nobody")
        await user.should_see("'nobody' is no request, user or item that is known here.", retries=PATIENT)

    visit(settings, journey)


def test_clickhouse_away_is_said() -> None:
    async def journey(user: User) -> None:
        for address in ("/requests", "/requests/r", "/items/g1", "/search?q=g1"):
            await user.open(address)
            await user.should_see("nothing listens at http://127.0.0.1:1", retries=PATIENT)
            await user.should_see("Try again")

    visit(Settings(clickhouse="http://me:hunter2@127.0.0.1:1"), journey)


def test_an_error_of_the_console_itself_is_said_and_logged(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def journey(user: User) -> None:
        pages = states.Pages(settings, Asker(settings))

        @ui.page("/broken")
        async def broken() -> None:
            await pages.show("Counting", lambda reader: reader.trace("whole"), lambda trace: len(trace["nothing"]))  # type: ignore[index]

        await user.open("/broken")
        await user.should_see("Something is wrong with the console itself", retries=PATIENT)

    visit(settings, journey)
    assert "KeyError: 'nothing'" in caplog.text


class Hanging(BaseHTTPRequestHandler):
    """A ClickHouse that takes its time."""

    def do_GET(self) -> None:
        time.sleep(30)

    do_POST = do_GET  # noqa: N815


def test_a_slow_answer_is_said_and_holds_nobody_up() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hanging) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()

        async def journey(user: User) -> None:
            begun = time.monotonic()
            await user.open("/requests/r")
            await user.should_see("Reading what its stages said …")
            assert time.monotonic() - begun < 5
            await user.should_see("ClickHouse is busy; it is given 1 s.", retries=PATIENT)
            await user.should_see("did not answer in time", retries=200)

        limits = Console(max_time=1)
        visit(Settings(clickhouse=f"http://127.0.0.1:{server.server_port}", console=limits), journey)
        server.shutdown()


def test_a_question_that_is_too_large_is_said(settings: Settings) -> None:
    """Every query of the console goes by its limits."""

    async def journey(user: User) -> None:
        for address in (f"/requests?{TIME}", "/requests/whole", f"/items/g3?{TIME}", "/search?q=g3"):
            await user.open(address)
            await user.should_see("that is more than one question may read or take", retries=PATIENT)

    small = Console.model_construct(**{**settings.console.model_dump(), "max_rows": 1, "token": SecretStr("")})
    visit(settings.model_copy(update={"console": small}), journey)


def test_the_console_may_not_write(settings: Settings) -> None:
    with connect(settings.clickhouse) as client, pytest.raises(Exception, match="readonly"):
        client.command(f"TRUNCATE TABLE {settings.database}.landing", settings=database.limits(settings))
