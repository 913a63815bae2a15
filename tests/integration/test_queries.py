"""Every file of sinks/clickhouse/queries runs on the migrated schema: asked for by those who use it, none left out."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from rectrace import rule_effects
from rectrace.console import live_story
from sinks.clickhouse import incidents, rule_pages
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.changes import Changes, Evidence, Times
from sinks.clickhouse.client import connect
from sinks.clickhouse.different import Different
from sinks.clickhouse.reader import STATUSES, Period, Reader, RequestFilter
from sinks.clickhouse.rollup import Rollup
from sinks.clickhouse.slices import MOST, Slices, Within
from sinks.clickhouse.wrong_calls import WrongCalls
from tests.support import incident
from tests.support.database import Database
from tests.support.rule_shop import Shop

QUERIES = {
    file.name.removesuffix(".sql"): file.read_text("utf-8")
    for file in files("sinks.clickhouse").joinpath("queries").iterdir()
    if file.name.endswith(".sql")
}
PERIOD = Period(incident.NOON, incident.NOON + timedelta(minutes=1))


class Recording:
    """A client that keeps the text of all it is asked."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.asked: list[str] = []

    def query(self, query: str, *args: Any, **options: Any) -> Any:
        self.asked.append(query)
        return self._client.query(query, *args, **options)

    def raw_query(self, query: str, *args: Any, **options: Any) -> Any:
        self.asked.append(query)
        return self._client.raw_query(query, *args, **options)

    def command(self, cmd: str, *args: Any, **options: Any) -> Any:
        self.asked.append(cmd)
        return self._client.command(cmd, *args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def code(text: str) -> str:
    """Without comments, as it is sent."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def longest_fixed(text: str) -> str:
    """The longest piece of a query that no placeholder is in."""
    return max(re.split(r"\$\{?\w+\}?", code(text)), key=len).strip()


@pytest.fixture
def recording(clickhouse: str, database: str) -> Iterator[Recording]:
    with connect(clickhouse) as client:
        yield Recording(client)


def test_every_query_runs(recording: Recording, database: str) -> None:
    made = incident.create(recording, database)  # type: ignore[arg-type]
    _seal_all(made)
    reader = Reader(recording, database, incident.JOURNEY)  # type: ignore[arg-type]
    _ask_all(reader)
    _ask_for_pages(reader)
    times, days_later = Times(PERIOD.since, PERIOD.until, timedelta(minutes=1)), PERIOD.until + timedelta(days=3)
    _ask_of_rules(Reader(recording, database, incident.JOURNEY))  # type: ignore[arg-type]
    _ask_what_changed(Changes(recording, database, times, days_later))  # type: ignore[arg-type]
    _ask_who_differs(Reader(recording, database, incident.JOURNEY), database, times)  # type: ignore[arg-type]
    _ask_for_alerts(ClickHouseAlerts(recording, database))  # type: ignore[arg-type]
    _judge_by_rules(recording, database)
    asked = "\n".join(recording.asked)
    assert len(QUERIES) > 15
    assert [name for name, text in QUERIES.items() if longest_fixed(text) not in asked] == []


def _seal_all(made: Database) -> None:
    """What a sealing worker does beside sealing: the cleaner with superseded runs, and hours that are over."""
    noon = int(incident.NOON.timestamp())
    made.seal.seal(noon)
    made.seal.clean(0, older_than_s=-10)
    made.seal.roll_up(noon)
    now_ms = made.rows("SELECT toUnixTimestamp64Milli(now64(3))")[0][0]
    assert Rollup(made.client, made.name, settled_ms=-10_000).roll_up(noon + 86_400, now_ms)
    made.seal.status(0)


def _ask_all(reader: Reader) -> None:
    """Every question, with answers where the data set has some."""
    trace = reader.trace("whole")
    assert trace is not None
    assert trace["n_served"] == 3
    assert len(reader.fates("whole")) == 7
    assert [row["has_request"] for row in reader.parts("whole")] == [True]
    assert {row["request_id"] for row in reader.requests(PERIOD, RequestFilter(), 100)} >= {"whole", "empty"}
    for status in STATUSES:
        for row in reader.requests(PERIOD, RequestFilter(status=status), 100):
            assert status in row["statuses"]
    for segment, placement in (("", ""), ("country=DE", ""), ("", "home"), ("country=DE", "home")):
        asked = ("g3", PERIOD, segment, placement)
        assert reader.item_traffic(*asked)["now"] > 0
        assert sum(row["now"] for row in reader.item_fates(*asked)) > 0
        assert [row["source"] for row in reader.item_sources(*asked)] == ["ann"]
        needs = reader.item_needs("g1", *asked[1:], 10)
        assert (needs["requests"], needs["rank"], needs["slots"]) == (1 if segment else 2, 2, 3)
        assert {row["rule"] for row in reader.item_rules("g1", *asked[1:], 10)} == {"boost_new_season"}
    assert sum(row["now"] for row in reader.item_segments("g3", PERIOD, "")) == 4
    assert {row["placement"]: row["requests"] for row in reader.pressure(PERIOD)} == {"home": 5, "cart": 1}
    assert {row["rule"]: row["slots"] for row in reader.rule_pressure(PERIOD, "")} == {
        "boost_new_season": 2, "pin_campaign": 2,
    }  # fmt: skip
    narrow = RequestFilter(placement="home", segment="country=DE", arm="ranker=v2")
    assert [row["request_id"] for row in reader.requests(PERIOD, narrow, 100)] == ["whole"]
    for fate, item, found in (
        ("", "g3", ["empty", "fallback", "whole-2", "whole"]),
        ("dropped", "g3", ["empty", "fallback", "whole-2", "whole"]),
        ("served", "g3", []),
        ("served", "g5", ["fallback", "whole-2", "whole"]),
    ):
        listed = reader.requests(PERIOD, RequestFilter(item=item, fate=fate), 100)
        assert [row["request_id"] for row in listed] == found
    assert reader.find("whole", PERIOD.since, PERIOD.since) == ["request"]
    assert reader.find("u-1", PERIOD.since, PERIOD.since) == ["user"]
    assert reader.find("g7", PERIOD.since, PERIOD.since) == reader.find("g4", PERIOD.until, PERIOD.until) == ["item"]
    assert reader.find("nobody", PERIOD.since, PERIOD.since) == []
    known = reader.known(PERIOD)
    assert (known["placement"], known["arm"]) == (["cart", "home"], ["ranker=v2"])
    assert {"country=DE", "device=ios"} <= set(known["segment"])
    series = reader.item_series("g3", PERIOD, "", "", 60)
    assert sum(row["times"] for row in series) == sum(
        row["now"] + row["before"] for row in reader.item_fates("g3", PERIOD, "", "")
    )
    assert {row["at"].second for row in series} == {0}
    assert reader.interactions("whole", 10) == []
    assert reader.segments(PERIOD) == ["country=DE", "country=FR"]
    assert reader.catalog(["g3", "nobody"])["g3"]["title"] == "Quilted Ski Jacket"
    assert len(reader.dead_letters(timedelta(hours=1), datetime.now(UTC), limit=10)) == 3


def _ask_of_rules(reader: Reader) -> None:
    """What the console shows of rules; tests/integration/test_console_rules.py has answers."""
    assert rule_pages.listed(reader, PERIOD) == []
    assert (
        rule_pages.history(reader, "boost_new_season") == rule_pages.hits(reader, "boost_new_season", PERIOD, 60) == []
    )
    assert [row["slots"] for row in rule_pages.slots(reader, "boost_new_season", PERIOD, 60)] == [2]
    assert rule_pages.examples(reader, "boost_new_season", PERIOD, 10) == []
    assert [row["request_id"] for row in rule_pages.moved(reader, "pin_campaign", PERIOD, 10)] == ["whole-2", "whole"]
    known = {(row["kind"], row["name"]): sorted(row["examples"]) for row in rule_pages.names(reader, PERIOD)}
    assert known["segments", "country"] == ["DE", "FR"]
    assert known["experiments", "ranker"] == ["v2"]
    assert known["request", "placement"] == ["cart", "home"]
    assert {case.request.request_id for case in rule_effects.sample(reader, PERIOD)} == {"whole", "whole-2"}


def _ask_for_pages(reader: Reader) -> None:
    live = live_story.ask(reader, "home")
    assert live is not None
    assert live.evaluated is None
    assert {row["source"] for row in live.sources} == {"ann"}
    assert incidents.changed(reader, PERIOD, 10) == []
    assert incidents.history(reader, "EmptyResponses", "0" * 16, PERIOD, 10) == []


def _ask_what_changed(changes: Changes) -> None:
    """Days later: by then outcomes are kept by the hour."""
    assert (changes.seals()["windows_now"], changes.seals()["windows_before"]) == (3, 4)
    totals = [row["requests"] for row in changes.segments("segment") if row["element"] == ""]
    assert totals == [4, 6]
    assert sum(row["requests"] for row in changes.segments("placement")) == sum(totals)
    assert {row["element"] for row in changes.chosen("segment")} == {"", "country=DE", "country=FR"}
    assert sum(row["candidacies"] for row in changes.fates("country=FR")) == 28
    assert sum(row["candidacies"] for row in changes.guard() if row["is_now"]) == 4
    assert {row["component"] for row in changes.stages()} >= {"ann", "stock", "ranker", "api"}
    assert {(row["rule_id"], row["is_now"], row["times"]) for row in changes.rules(10)} >= {("boost_new_season", 0, 4)}
    assert {row["element"]: row["affected"] for row in changes.version("ann", "2.3.1", 10)}["country=FR"] == 1
    assert changes.examples(Evidence(statuses=("fallback",), component="ranker"), 5) == ["fallback"]
    assert changes.examples(Evidence(segment=("country", "DE"), component="region", reason="region"), 5) == ["empty"]
    bad = changes.bad(["short"], Evidence(segment=("country", "DE")), all_before=True, requests=10)
    assert [(row["stage"], row["is_now"]) for row in bad if row["placement"] == "cart"] == [
        ("filtering", 1), ("filtering", 1), ("request", 1), ("response", 1), ("retrieval", 1),
    ]  # fmt: skip
    assert {(row["reason"], row["dropped"]) for row in bad if row["reason"]} == {("region", 2)}
    assert sum(row["events"] for row in bad if row["stage"] == "request" and not row["is_now"]) == 1
    slowest = changes.examples(Evidence(rule="pin_campaign", arm=("ranker", "v2"), slowest=True), 5)
    assert sorted(slowest) == ["whole", "whole-2"]


def _ask_who_differs(reader: Reader, database: str, times: Times) -> None:
    """Slices of requests, and what the bad ones say of themselves."""
    asking = Slices(reader, database, times)
    assert asking.seals()["windows_now"] == 3
    for family in MOST:
        counted = asking.traced(family, "country", "placement", 6)
        told = {(row["first"], row["second"]): row["requests"] for row in counted if row["is_now"]}
        assert told == {("DE", "home"): 2, ("FR", "home"): 1, ("DE", "cart"): 1, ("", "home"): 2}
    asked = Different(reader, database, times, RequestFilter(status="empty"), Within(segments=(("country", "DE"),)))
    assert asked.counts() == (1, 2)
    values = asked.values(1, 2)
    assert (values.bad, values.rest) == (1, 2)
    found = {(row["field"], row["name"], row["value"]): (row["bad_with"], row["rest_with"]) for row in values.rows}
    assert found["drops as", "region", "region"] == (1, 0)
    assert found["component", "region", "lets nothing through"] == (1, 0)
    assert found["component", "ranker", "timeout"] == (0, 1)
    assert found["version", "ann", "2.3.1"] == (0, 1)
    wrong = WrongCalls("failed", "scoring", "ranker")
    assert Different(reader, database, times, wrong, Within("home")).counts()[0] > 0


def _judge_by_rules(recording: Recording, database: str) -> None:
    noon = int(incident.NOON.timestamp())
    shop = Shop(recording, database)  # type: ignore[arg-type]
    shop.publish({"id": "knit", "scope": "item", "when": "category = 'knit' AND has(sources, 'ann')"})
    shop.know("g1", category="knit", at=incident.NOON_MS - 1_000)
    shop.seal.seal(noon)
    assert shop.violations("knit") == [("whole", "g1", 1), ("whole-2", "g1", 1)]
    counts = ClickHouseAlerts(recording, database).rule_counts(noon, noon)  # type: ignore[arg-type]
    assert {each.request_id for each in counts.examples} == {"whole", "whole-2"}
    reader = Reader(recording, database, incident.JOURNEY)  # type: ignore[arg-type]
    at_fault = reader.requests(PERIOD, RequestFilter(rule="knit"), 10)
    assert [row["request_id"] for row in at_fault] == ["whole-2", "whole"]
    assert reader.requests(PERIOD, RequestFilter(rule="other"), 10) == []
    assert [(row["rule"], row["item"], row["position"]) for row in reader.violations("whole", PERIOD)] == [
        ("knit", "g1", 1)
    ]
    assert reader.known(PERIOD)["rule"] == ["knit"]
    (rule,) = reader.rules(PERIOD.since)
    assert (rule["id"], rule["hit"], rule["judged"]) == ("knit", 2, 2)


def _ask_for_alerts(store: ClickHouseAlerts) -> None:
    noon = int(incident.NOON.timestamp())
    assert [each.window for each in store.sealed(noon - 10, 2)] == [noon, noon + 10]
    assert store.newest_complete() == noon + 20
    counts = store.counts(noon, noon + 20)
    assert all([counts.windows, counts.placements, counts.stages, counts.latencies, counts.pressures, counts.slots])
    assert store.examples("empty", {"placement": "cart"}, noon, noon + 20) == ["empty"]
    for kind in ("failed", "zero_out", "silent", "slow"):
        store.examples(kind, {"placement": "home", "stage": "scoring", "component": "ranker"}, noon, noon + 20)
    for segment, examples in (("", ["empty"]), ("country=DE", ["empty"]), ("country=FR", []), ("country=D", [])):
        assert store.examples("segment", {"segment": segment, "metric": "empty"}, noon, noon + 20) == examples
    assert store.examples("segment", {"segment": "experiment.ranker=v2", "metric": "failed"}, noon, noon + 20) == []
    (cart, home) = store.trends.spent(noon + 20, [30, 3_600])
    assert (cart.placement, home.placement, home.known) == ("cart", "home", [3, 7])
    assert {each.segment for each in store.trends.segments(noon - 50, noon, noon + 20)} >= {"", "country=DE"}
    assert store.trends.weeks(noon + 20, 1) == []
    calls = store.trends.components(noon - 50, noon, noon, noon + 20)
    assert {(each.stage, each.time) for each in calls} >= {("scoring", 0), ("scoring", 1)}
    found = store.distributions
    assert {each.component for each in found.spreads(noon, noon + 20)} == {"ranker"}
    assert {each.component for each in found.scores(noon, noon + 20)} == {"ranker"}
    assert {reason for each in found.drops(noon, noon + 20) for reason in each.reasons} >= {"region", "out_of_stock"}
    assert {each.arm for each in found.users(noon, noon + 20, ["ranker"])} == {"v2"}
    assert store.latest("sealed") is None
    assert store.changed("sealed", 0, 1) == []


def test_a_query_that_nobody_asks_would_be_found() -> None:
    """The check above can fail: what it looks for is in no other query."""
    fixed = {name: longest_fixed(text) for name, text in QUERIES.items()}
    assert all(len(text) > 40 for text in fixed.values())
    for name, text in fixed.items():
        assert [other for other, whole in QUERIES.items() if text in code(whole)] == [name]
