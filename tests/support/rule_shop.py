"""The incident's requests, with rules that judge them and a catalogue."""

import json
from collections.abc import Mapping
from typing import Any

from clickhouse_connect.driver.client import Client
from prometheus_client import CollectorRegistry

from rectrace.judging import Judging
from schemas.parts import CatalogRow
from schemas.rule_log import rule_row
from sinks.clickhouse.judged import Judged
from sinks.clickhouse.rule_seal import RuleSeal
from sinks.clickhouse.seal import Seal
from streams.metrics import Metrics
from tests.support import incident
from tests.support.database import Database

LONG_AGO = incident.NOON_MS - 3_600_000


class Shop:
    """A database of its own, or one that is there; what it seals is judged."""

    def __init__(self, client: Client, name: str, most: int = 1_000) -> None:
        self.made = Database.create(client, name, incident.JOURNEY)
        self.failed: Mapping[str, str] = {}
        judging = Judging(Metrics(CollectorRegistry()))
        judged = Judged(client, name, incident.JOURNEY)
        rules = RuleSeal(client, name, judged, judging.compile, self._report, most)
        self.seal = Seal(client, name, incident.JOURNEY, rules)

    def _report(self, failed: Mapping[str, str]) -> None:
        self.failed = dict(failed)

    def publish(self, *rules: Mapping[str, Any], at: int = LONG_AGO) -> None:
        for rule in rules:
            whole = {"owner": "merchandising", "message": "Not so", **rule}
            self.made.sink.write_rules([rule_row(str(rule["id"]).encode(), json.dumps(whole).encode(), at, [])])

    def know(self, *items: str, at: int = LONG_AGO, **fields: Any) -> None:
        self.made.sink.write_catalog([CatalogRow(item, at, **fields) for item in items])

    def settle(self) -> None:
        self.made.settle(self.seal)

    def violations(self, rule: str) -> list[tuple[str, str, int]]:
        rows = self.made.rows(
            "SELECT request_id, item, position FROM $database.violations WHERE rule = {rule:String} ORDER BY ALL",
            rule=rule,
        )
        return [(str(request), str(item), int(position)) for request, item, position in rows]

    def hits(self, rule: str) -> list[tuple[dict[str, str], int, int]]:
        rows = self.made.rows(
            "SELECT grouped, sum(judged), sum(hit) FROM $database.rule_hits WHERE rule = {rule:String} "
            "GROUP BY grouped ORDER BY ALL",
            rule=rule,
        )
        return [(dict(grouped), int(judged), int(hit)) for grouped, judged, hit in rows]
