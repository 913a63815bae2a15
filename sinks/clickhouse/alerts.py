"""The alert engine's store: counts of sealed windows in, evaluations out. See migrations/0004_alerts.sql."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from schemas.alerts import AlertCounts, AlertState, Chain, Change, Evaluation, RuleCounts, SealedWindow
from schemas.rules import Rule
from sinks.clickhouse.alert_counts import CountReader
from sinks.clickhouse.alert_distributions import DistributionReader
from sinks.clickhouse.alert_rules import RuleCountReader
from sinks.clickhouse.alert_trends import TrendReader
from sinks.clickhouse.client import errors
from sinks.clickhouse.queries import sql
from sinks.clickhouse.rows import when
from sinks.clickhouse.wrong_calls import OF_COMPONENT, WRONG

EXAMPLES: Final = 5  # request ids
_LIMITS: Final = {"max_execution_time": 30, "max_memory_usage": 4_000_000_000}
_METRIC: Final = "hasAny(statuses, if({metric:String} = 'failed', ['error', 'timeout'], [{metric:String}]))"
# A segment is name=value, and an arm experiment.name=value; empty: all requests.
_SEGMENT: Final = (
    "({segment:String} = '' OR has(arrayMap((name, value) -> concat(name, '=', value), mapKeys(segments), "
    "mapValues(segments)), {segment:String}) OR has(arrayMap((name, arm) -> concat('experiment.', name, '=', arm), "
    "mapKeys(experiments), mapValues(experiments)), {segment:String}))"
)
# What shows an alert, by `Definition.examples`; any other name is a status of the trace.
_SHOWS: Final = {
    **WRONG,
    "silent": f"NOT arrayExists(s -> {OF_COMPONENT}, stages)",
    "slow": "total_ms IS NOT NULL",
    "metric": _METRIC,
    "segment": f"{_METRIC} AND {_SEGMENT}",
}
_ORDER: Final = {"slow": "total_ms DESC"}


class ClickHouseAlerts:
    """The ports `streams.ports.AlertStore` and `streams.alerts.rules.RuleStore` on one database. Raises Unavailable
    when the server cannot answer now."""

    def __init__(self, client: Client, database: str) -> None:
        self._client = client
        self._database = database
        self._counts = CountReader(self._rows)
        self._rule_counts = RuleCountReader(self._rows)
        self.distributions = DistributionReader(self._rows)
        self.trends = TrendReader(self._rows)

    def latest(self, chain: Chain) -> Evaluation | None:
        rows = self._rows("alert_latest", chain=chain)
        return evaluation_of(chain, rows[0]) if rows else None

    def save(self, evaluations: Sequence[Evaluation]) -> None:
        """One insert, one block, one part."""
        if not evaluations:
            return
        with errors("saving the evaluation of alerts"):
            self._client.insert(
                "alert_evaluations",
                [_row(each) for each in evaluations],
                column_names=["chain", "window", "run", "verdict", "states", "changes"],
                database=self._database,
                settings={"async_insert": 0},
            )

    def sealed(self, after: int, limit: int) -> list[SealedWindow]:
        rows = self._rows("alert_windows", after=when(after), limit=limit)
        return [SealedWindow(int(window), int(run), bool(incomplete)) for window, run, incomplete in rows]

    def newest_complete(self) -> int | None:
        return int(self._rows("alert_newest")[0][0]) or None

    def counts(self, first: int, last: int) -> AlertCounts:
        return self._counts.read(first, last)

    def rule_counts(self, first: int, last: int) -> RuleCounts:
        return self._rule_counts.read(first, last)

    def rules(self, first: int, last: int) -> dict[str, Rule]:
        """What judged the windows from first to last, both inside; by version."""
        return self._rule_counts.rules(first, last)

    def examples(self, kind: str, labels: Mapping[str, str], first: int, last: int) -> list[str]:
        """Newest first; the slowest first where it is about time."""
        parameters = {"first": when(first), "last": when(last), "limit": EXAMPLES, "status": kind, **_places(labels)}
        shows = _SHOWS.get(kind, "has(statuses, {status:String})")
        text = sql("alert_examples", database=self._database, shows=shows, order=_ORDER.get(kind, "at DESC"))
        return [str(request_id) for (request_id,) in self._query(text, parameters)]

    def delivered(self, target: str) -> dict[Chain, int]:
        rows = self._query(
            f"SELECT chain, toUnixTimestamp(max(delivered)) FROM {self._database}.alert_deliveries "
            "WHERE target = {target:String} GROUP BY chain",
            {"target": target},
        )
        return {chain: int(window) for chain, window in rows}

    def mark_delivered(self, target: str, chain: Chain, window: int) -> None:
        with errors("noting what has been told"):
            self._client.insert(
                "alert_deliveries",
                [[target, chain, when(window)]],
                column_names=["target", "chain", "delivered"],
                database=self._database,
                settings={"async_insert": 0},
            )

    def changed(self, chain: Chain, after: int, limit: int) -> list[Evaluation]:
        rows = self._rows("alert_changed", chain=chain, after=when(after), limit=limit)
        return [evaluation_of(chain, row) for row in rows]

    def _rows(self, query: str, **parameters: Any) -> Sequence[Sequence[Any]]:
        return self._query(sql(query, database=self._database), parameters)

    def _query(self, text: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        with errors("reading for alerts"):
            return self._client.query(text, parameters=dict(parameters), settings=_LIMITS).result_rows


def _places(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: labels.get(name, "") for name in ("placement", "stage", "component", "segment", "metric")}


def _row(evaluation: Evaluation) -> list[Any]:
    return [
        evaluation.chain,
        when(evaluation.window),
        evaluation.run,
        evaluation.verdict,
        [msgspec.json.encode(state).decode() for state in evaluation.states],
        [
            (
                change.state.fingerprint, change.status, change.told, when(change.state.began), when(change.ends_at),
                msgspec.json.encode(change).decode(),
            )
            for change in evaluation.changes
        ],
    ]  # fmt: skip


def evaluation_of(chain: Chain, row: Sequence[Any]) -> Evaluation:
    """A row of alert_latest or alert_changed."""
    window, run, verdict, states, changes = row
    return Evaluation(
        chain,
        int(window),
        int(run),
        verdict,
        [msgspec.json.decode(state, type=AlertState) for state in states],
        [msgspec.json.decode(change, type=Change) for change in changes],
    )
