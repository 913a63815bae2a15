"""A migrated database of a test's own, and what its readers see."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.parts import Part
from sinks.clickhouse.journey import Journey
from sinks.clickhouse.migrate import Layout, migrate
from sinks.clickhouse.seal import RUN_TABLES, Seal
from sinks.clickhouse.writer import ClickHouseSink

JOURNEY: Final = Journey(outcome_segments=("country",), expected={"pdp": ["ann", "filtering", "scoring/ranker"]})
# Per view: its columns as a reader compares them. Digests in their finished form, sums as they are summed.
_VIEWS: Final = {
    "traces": "* EXCEPT (expire_at)",
    "item_outcomes": "*",
    "stage_metrics": "* EXCEPT (durations), finalizeAggregation(durations) AS quantiles",
    "segment_metrics": "* EXCEPT (latencies), finalizeAggregation(latencies) AS quantiles",
    "pressure": "*",
    "rule_pressure": "*",
    "violations": "*",
    "rule_hits": "*",
    "score_metrics": "*",
    "drop_metrics": "*",
}


@dataclass(frozen=True)
class Database:
    """One database, its sink and its seal."""

    client: Client
    name: str
    journey: Journey = JOURNEY

    @classmethod
    def create(cls, client: Client, name: str, journey: Journey = JOURNEY) -> "Database":
        migrate(client, Layout(name))
        return cls(client, name, journey)

    @property
    def sink(self) -> ClickHouseSink:
        return ClickHouseSink(self.client, self.name)

    @property
    def seal(self) -> Seal:
        return Seal(self.client, self.name, self.journey)

    def land(self, parts: Iterable[Part]) -> None:
        assert self.sink.land(list(parts)) == []

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        text = query.replace("$database", self.name)
        return [tuple(row) for row in self.client.query(text, parameters=parameters).result_rows]

    def settle(self, seal: Seal | None = None) -> int:
        """Seal what is not settled, whatever its age, until nothing is left; returns how many runs that took."""
        seal, runs = seal or self.seal, 0
        for _ in range(20):
            seal.sweep(0)
            states = seal.unsettled(0)
            if not states:
                return runs
            for state in states:
                seal.seal(state.window)
            runs += len(states)
        raise AssertionError(f"still unsettled: {states}")

    def clear(self) -> None:
        """As if nothing had ever landed."""
        for table in ("landing", "strays", "sealed", "progress", *RUN_TABLES):
            self.client.command(f"TRUNCATE TABLE {self.name}.{table}")

    def seen(self) -> dict[str, list[str]]:
        """Every row that readers see, by view, as text in a fixed order."""
        return {view: self._seen(view, columns) for view, columns in _VIEWS.items()}

    def _seen(self, view: str, columns: str) -> list[str]:
        query = f"SELECT toJSONString(tuple({columns})) AS row FROM $database.{view} ORDER BY row"
        return [row for (row,) in self.rows(query)]
