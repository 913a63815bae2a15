"""Rules judge the runs of the seal, on the migrated schema: what is violated, by which rules, and what corrects it."""

from collections.abc import Iterator

import pytest

from schemas.rule_log import rule_row
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from sinks.clickhouse.rows import when
from streams.alerts.rules import RuleSignals
from tests.support import incident
from tests.support.rule_shop import Shop

KNIT = {"id": "knit", "scope": "item", "when": "category = 'knit' AND score > 0.3", "severity": "page"}
UNKNOWN = {"id": "unknown", "scope": "item", "when": "NOT in_catalog", "fires": {"group_by": ["placement"]}}
SLOW = {"id": "slow", "scope": "trace", "when": "stage.scoring.duration_ms > 1000"}
BROUGHT = {"id": "brought", "scope": "item", "when": "has(sources, 'popular') AND NOT has(sources, 'ann')"}


@pytest.fixture
def shop(clickhouse: str, database: str) -> Iterator[Shop]:
    with connect(clickhouse) as client:
        yield Shop(client, database)


def test_what_was_served_is_judged_with_its_scores_its_sources_and_the_catalogue(shop: Shop) -> None:
    shop.publish(KNIT, UNKNOWN, SLOW, BROUGHT)
    shop.know("g1", "g2", category="knit")
    shop.made.land(incident.requests())
    shop.settle()
    assert shop.failed == {}
    assert [found for found in shop.violations("knit") if found[0].startswith("whole")] == [
        ("whole", "g2", 2), ("whole-2", "g2", 2),
    ]  # fmt: skip
    assert shop.violations("slow") == [("fallback", "", 0)]
    assert shop.violations("unknown")[0] == ("fallback", "g5", 1)
    assert ("whole", "g5", 3) in shop.violations("brought")
    assert {item for _, item, _ in shop.violations("brought")} == {"g5"}
    values, severity, placement = shop.made.rows(
        "SELECT values, severity, placement FROM $database.violations WHERE rule = 'knit' AND request_id = 'whole'"
    )[0]
    assert (values, severity, placement) == ({"category": "knit", "score": "0.31"}, "page", "home")
    home = next(found for found in shop.hits("unknown") if found[0] == {"placement": "home"})
    assert home[2] == len({request for request, _, _ in shop.violations("unknown")})


def test_sealing_again_corrects_what_was_said(shop: Shop) -> None:
    shop.publish(SLOW, KNIT)
    shop.know("g1", "g2", category="knit")
    parts = {part.request_id: part for part in incident.requests()}
    whole = parts["whole"]
    late, first = whole.events[-1:], whole.events[:-1]
    shop.made.land([type(whole)(whole.request_id, first, "timeout", [], whole.spans)])
    shop.settle()
    assert shop.violations("knit") == [], "nothing was served yet"
    assert shop.hits("knit") == [({}, 0, 0)]
    shop.made.land([type(whole)(whole.request_id, late, "settled", [], whole.spans)])
    shop.settle()
    assert shop.violations("knit") == [("whole", "g2", 2)]
    assert shop.hits("knit") == [({}, 1, 1)]
    shop.made.land([whole])  # landed once more: nothing changes
    shop.settle()
    assert shop.violations("knit") == [("whole", "g2", 2)]
    assert shop.hits("knit") == [({}, 1, 1)]
    runs = "SELECT uniqExact(run) FROM $database.rule_hits_runs"
    assert shop.made.rows(runs)[0][0] > 1
    shop.seal.clean(0, older_than_s=-60)
    assert shop.made.rows(runs) == [(1,)]
    assert shop.violations("knit") == [("whole", "g2", 2)]


def test_the_rules_of_a_window_are_those_in_force_when_it_began(shop: Shop) -> None:
    shop.publish({**SLOW, "when": "total_ms > 100000"})
    shop.publish(SLOW, at=incident.NOON_MS + 10_000)  # as the window of `fallback` begins
    shop.publish(UNKNOWN, at=incident.NOON_MS + 10_001)
    shop.made.sink.write_rules([rule_row(b"slow", None, incident.NOON_MS + 20_000, [])])
    shop.made.land(incident.requests())
    shop.settle()
    noon = incident.NOON_MS // 1000
    for again in (noon, noon + 10, noon + 20):
        assert shop.violations("slow") == [("fallback", "", 0)]
        assert "whole" not in {request for request, _, _ in shop.violations("unknown")}
        windows = shop.made.rows(
            "SELECT DISTINCT version, toUnixTimestamp(window) FROM $database.rule_hits WHERE rule = 'slow'"
        )
        assert {at for _, at in windows if at > noon + 10} == set()
        assert len({version for version, _ in windows}) == 2
        shop.seal.seal(again)


def test_a_rule_that_cannot_judge_is_named_and_takes_no_other_down(shop: Shop) -> None:
    shop.publish(SLOW, {**KNIT, "id": "broken", "when": "catgory = 'knit'"})
    shop.made.land(incident.requests())
    shop.settle()
    assert shop.violations("slow") == [("fallback", "", 0)]
    assert list(shop.failed) == ["broken"]
    assert "unknown field 'catgory'; did you mean 'category'?" in shop.failed["broken"]


def test_what_alerts_are_judged_by_names_rules_groups_and_examples(shop: Shop) -> None:
    shop.publish({**UNKNOWN, "fires": {"group_by": ["placement", "segments.country"], "within": "1m"}}, SLOW)
    shop.made.land(incident.requests())
    shop.settle()
    noon = incident.NOON_MS // 1000
    counts = ClickHouseAlerts(shop.made.client, shop.made.name).rule_counts(noon + 10, noon + 20)
    assert {rule.id: rule.fires.within for rule in counts.rules.values()} == {"unknown": 60, "slow": 60}
    assert min(hit.window for hit in counts.hits) < noon
    signals = {
        (signal.labels["rule"], signal.labels.get("placement", "")): signal
        for signal in RuleSignals(counts).at(noon + 10, [])
    }
    assert signals["unknown", "home"].bad > 0
    assert "fallback" in signals["unknown", "home"].examples
    assert signals["slow", ""].examples == ("fallback",)
    assert (
        signals["slow", ""].total
        == sum(judged for _, judged, _ in shop.hits("slow"))
        - sum(hit.judged for hit in counts.hits if hit.rule == "slow" and hit.window > noon + 10)
        - shop.made.rows(
            "SELECT sum(judged) FROM $database.rule_hits WHERE rule = 'slow' AND window <= {end:DateTime('UTC')}",
            end=when(noon - 50),
        )[0][0]
    )


def test_a_window_without_requests_ends_no_alert_of_a_rule(shop: Shop) -> None:
    shop.publish({**UNKNOWN, "fires": {"within": "10m"}})
    shop.made.land(incident.requests())
    shop.settle()
    noon = incident.NOON_MS // 1000
    shop.made.seal.seal_empty(noon + 60, noon + 300)
    store = ClickHouseAlerts(shop.made.client, shop.made.name)
    for first in (noon + 20, noon + 200):
        (signal,) = RuleSignals(store.rule_counts(first, first)).at(first, [])
        assert signal.bad > 0
    assert store.rules(noon + 2 * 86_400, noon + 2 * 86_400) == {}, "what judged a day ago"


def test_evidence_is_bounded_and_hits_are_counted_in_full(clickhouse: str, database: str) -> None:
    with connect(clickhouse) as client:
        shop = Shop(client, database, most=2)
        shop.publish({"id": "any", "scope": "item", "when": "position >= 1"})
        shop.made.land(incident.requests())
        shop.settle()
        rows = shop.made.rows("SELECT max(n) FROM (SELECT count() AS n FROM $database.violations GROUP BY window)")
        assert rows == [(2,)]
        assert sum(hit for _, _, hit in shop.hits("any")) > 5
