"""The part of a seal that judges: the rules in force over the requests of a run, before the run is published."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import polars as pl
from clickhouse_connect.driver.client import Client

from schemas.errors import Unavailable
from sinks.clickhouse import rows
from sinks.clickhouse.client import errors
from sinks.clickhouse.judged import Judged
from sinks.clickhouse.queries import sql

log = logging.getLogger(__name__)

# Violations kept of one rule in one window: of a rule that everything violates these are evidence enough; hits are
# counted in full.
MOST: Final = 1_000


class RuleInForce(NamedTuple):
    """One rule as it was published: JSON."""

    id: str
    version: str
    severity: str
    text: str


class Verdict(Protocol):
    """What was found: a row a violation, and a row a rule and group; failed: why, by rule id."""

    @property
    def hits(self) -> pl.DataFrame: ...
    @property
    def counts(self) -> pl.DataFrame: ...
    @property
    def failed(self) -> Mapping[str, str]: ...


class Judge(Protocol):
    """Compiled rules, as streams.rules.judge.Judge has them."""

    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def needs_catalog(self) -> bool: ...
    def judge(self, traces: pl.DataFrame, catalog: pl.DataFrame) -> Verdict: ...


class RuleSeal:
    """Judges runs of one database by the rules in force at the start of their window: sealing again judges alike.

    compiling: makes a judge of rules; report: is told the rules that failed, with why, after each run.
    """

    def __init__(
        self,
        client: Client,
        database: str,
        judged: Judged,
        compiling: Callable[[Sequence[RuleInForce]], Judge],
        report: Callable[[Mapping[str, str]], None] = lambda failed: None,
        most: int = MOST,
    ) -> None:
        self._client = client
        self._database = database
        self._judged = judged
        self._compile = compiling
        self._report = report
        self._most = most
        self._compiled: tuple[Sequence[RuleInForce], Judge] | None = None

    def judge(self, run: Mapping[str, Any], traces: Sequence[str]) -> None:
        """Write violations and hits of a run. traces: queries of its requests, each a part that fits in memory.

        What goes wrong in judging is reported and logged, and leaves the run without verdicts: a rule must not keep
        windows from being sealed. Raises Unavailable.
        """
        rules = self._in_force(run["window"])
        if not rules:
            return
        try:
            judge = self._judge_of(rules)
            severities = pl.DataFrame([(each.id, each.severity) for each in rules], ["rule", "severity"], orient="row")
            for part in traces:
                self._judge(judge, part, severities, run)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("judging window %s failed", run["window"])
            self._report({"*": f"{type(error).__name__}: {error}"})

    def _in_force(self, window: Any) -> list[RuleInForce]:
        with errors("reading the rules"):
            result = self._client.query(sql("rules_in_force", database=self._database), parameters={"at": window})
        return [RuleInForce(*row) for row in result.result_rows]

    def _judge_of(self, rules: Sequence[RuleInForce]) -> Judge:
        if self._compiled is None or self._compiled[0] != rules:
            self._compiled = rules, self._compile(rules)
        return self._compiled[1]

    def _judge(self, judge: Judge, traces: str, severities: pl.DataFrame, run: Mapping[str, Any]) -> None:
        columns = list(dict.fromkeys([*judge.columns, "placement", "user_id"]))
        requests, catalog = self._judged.frames(traces, columns, run["window"], run, catalog=judge.needs_catalog)
        verdict = judge.judge(requests, catalog)
        self._report(verdict.failed)
        hits = verdict.hits.sort("rule_id", "request_id", "position")
        hits = hits.group_by("rule_id", maintain_order=True).head(self._most)
        found = hits.join(requests.select("request_id", "placement", "user_id"), on="request_id", how="left")
        counts = verdict.counts.rename({"group": "grouped"})
        for table, frame in (("violations_runs", found), ("rule_hits_runs", counts)):
            self._insert(table, frame.rename({"rule_id": "rule"}).join(severities, on="rule", how="left"), run)

    def _insert(self, table: str, found: pl.DataFrame, run: Mapping[str, Any]) -> None:
        if found.is_empty():
            return
        of_run = {"window": int(run["window"].timestamp()), "run": run["run"], "tail": run["tail"]}
        lines = [{**_plain(row), **of_run} for row in found.iter_rows(named=True)]
        with errors(f"inserting into {self._database}.{table}"):
            self._client.raw_insert(
                f"{self._database}.{table}",
                column_names=list(lines[0]),
                insert_block=msgspec.json.Encoder().encode_lines(lines),
                fmt="JSONEachRow",
            )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """As ClickHouse reads it: times in seconds, lists of (key, value) as maps."""
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return rows.seconds(int(value.timestamp() * 1000))
    return {pair["key"]: pair["value"] for pair in value} if isinstance(value, list) else value
