"""One fault, one page: all that is evaluated in a running worker, with the starter rules in force."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from clickhouse_connect.driver.client import Client
from prometheus_client import CollectorRegistry

from rectrace import alerting, rule_book
from rectrace.judging import rule_seal
from rectrace.settings import Settings
from schemas.alerts import Change
from schemas.parts import CatalogRow
from schemas.rule_log import rule_row
from schemas.rules import encode_rule
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from sinks.clickhouse.seal import RUN_TABLES, Seal
from streams.metrics import Metrics
from tests.support.alert_traffic import Crowd, Traffic, Wrong
from tests.support.database import Database

START: Final = int(time.time()) // 10 * 10 - 1_800
COPIED: Final = [*(table for table in RUN_TABLES if table not in ("traces_runs", "item_outcomes_runs")), "sealed"]
HISTORY: Final = 40  # windows: more than a comparison needs


@dataclass(frozen=True)
class Judged(Database):
    """What it seals is judged by rules."""

    @property
    def seal(self) -> Seal:
        rules = rule_seal(Settings(database=self.name), self.client, Metrics(CollectorRegistry()))
        return Seal(self.client, self.name, self.journey, rules)


class Bench:
    """Windows that are like one that was landed, sealed and judged, and their evaluation."""

    def __init__(self, client: Client, name: str) -> None:
        Database.create(client, name)
        database = Judged(client, name)
        rules = rule_book.starter_pack().rules
        database.sink.write_rules(
            [rule_row(rule.id.encode(), encode_rule(rule), (START - 3_600) * 1_000, []) for rule in rules]
        )
        known_at = (START - 3_600) * 1_000
        database.sink.write_catalog([CatalogRow(f"g{n}", known_at, brand=f"b{n}", price=9.9) for n in range(1, 7)])
        self.traffic = Traffic(database, START, copied=COPIED)
        self.store = ClickHouseAlerts(client, name)
        self.engine = alerting.engine(Settings(database=name), client, Metrics(CollectorRegistry()))

    def flow(self, windows: int, wrong: Wrong) -> None:
        for number in range(windows):
            if number:
                self.traffic.repeat(1)
            else:
                self.traffic.mixed(Crowd(60, wrong, k=6))
            self.engine.tick(self.traffic.window + 15.0)

    def told(self, severity: str) -> list[Change]:
        every = [change for each in self.store.changed("sealed", 0, 1_000) for change in each.changes]
        return [change for change in every if change.told and change.state.severity == severity]


@pytest.fixture
def bench(clickhouse: str, database: str) -> Iterator[Bench]:
    with connect(clickhouse) as client:
        yield Bench(client, database)


@pytest.mark.parametrize(
    ("wrong", "page", "rules"),
    [
        (Wrong(empty=0.6), "EmptyResponses placement=home", {"empty-response"}),
        pytest.param(
            Wrong(no_response=0.6), "NoResponse placement=home", {"no-response"}, marks=pytest.mark.long
        ),
        (
            Wrong(ranker_timeout=0.6),
            "StageFailing placement=home stage=scoring component=ranker",
            {"ranker-failed", "fallback-share"},
        ),
        (
            Wrong(popular_empty=1.0),
            "SourceEmpty placement=home stage=retrieval component=popular",
            {"source-dead"},
        ),
        pytest.param(
            Wrong(ann_silent=1.0),
            "ComponentSilent placement=home stage=retrieval component=ann",
            {"missing-stage"},
            marks=pytest.mark.long,
        ),
        (Wrong(constant=0.6), "ScoresDegenerate placement=home stage=scoring component=ranker", {"score-constant"}),
        pytest.param(Wrong(slow_ms=2_000), "LatencyHigh placement=home", {"slow-total"}, marks=pytest.mark.long),
    ],
    ids=lambda each: each.split()[0] if isinstance(each, str) else "",
)  # fmt: skip
def test_one_fault_is_one_page(bench: Bench, wrong: Wrong, page: str, rules: set[str]) -> None:
    """The rules that say the same find it, and page nobody."""
    bench.flow(1, Wrong())
    bench.traffic.repeat(HISTORY)
    bench.flow(2, Wrong())
    assert [bench.told(severity) for severity in ("page", "ticket", "info")] == [[], [], []]
    bench.flow(8, wrong)
    assert [(change.state.name, change.status) for change in bench.told("page")] == [(page, "firing")]
    assert rules <= {change.state.labels.get("rule") for change in bench.told("info")}
