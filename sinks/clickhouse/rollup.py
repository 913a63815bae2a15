"""Item outcomes of old windows, an hour each: most of what is stored, and nobody asks for ten seconds of last week.

An hour is rolled up when none of its windows may be sealed again. It is a run like any other: written under its number,
made visible by one row in `rolled`, and what it replaces is deleted later. Its number is a time at which no run that
began before it can still be published; so a window of a backlog that is sealed for the first time afterwards has a
higher number, and stands beside the hour.
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import errors
from sinks.clickhouse.queries import sql
from sinks.clickhouse.rows import when

MOST_AT_ONCE: Final = 24  # hours


class Rollup:
    """Rolls up hours of one database. Every method blocks and raises Unavailable when a statement fails.

    settled_ms: a run that began longer ago than this is published by now, or never will be.
    """

    def __init__(self, client: Client, database: str, settled_ms: int) -> None:
        self._client = client
        self._database = database
        self._settled_ms = settled_ms

    def roll_up(self, before: int, now_ms: int) -> list[int]:
        """Roll up what is due of the hours that ended, and were sealed first, before `before` (epoch seconds); returns
        those hours. now_ms: by ClickHouse's clock."""
        number = now_ms - self._settled_ms
        due = self._query(
            sql("rollup_due", database=self._database),
            {"before": when(before), "run": number, "limit": MOST_AT_ONCE},
        )
        hours = [int(row[0]) for row in due]
        for hour in hours:
            run = {"hour": when(hour), "run": number, "tail": secrets.randbits(63)}
            self._command(sql("rollup", database=self._database), run)
            self._command(
                f"INSERT INTO {self._database}.rolled (hour, run, tail) "
                "SELECT {hour:DateTime('UTC')}, {run:UInt64}, {tail:UInt64}",
                run,
            )
        return hours

    def clean(self, before: int, now_ms: int) -> None:
        """Delete what rolled hours before `before` (epoch seconds) stand for, and hours that nobody published; after a
        while, because queries that began earlier still read them. now_ms: by ClickHouse's clock."""
        parameters = {"until": when(before), "before": max(now_ms - 2 * self._settled_ms, 0)}
        if runs := self._query(sql("rollup_replaced", database=self._database), parameters):
            listed = ", ".join(
                f"(toDateTime({window}, 'UTC'), {span}, {run}, {tail})" for window, span, run, tail in runs
            )
            table = f"{self._database}.item_outcomes_runs"
            self._command(f"DELETE FROM {table} WHERE (window, span, run, tail) IN ({listed})", {})

    def _command(self, text: str, parameters: dict[str, Any]) -> None:
        with errors("rolling up item outcomes"):
            self._client.command(text, parameters=parameters)

    def _query(self, text: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        with errors("rolling up item outcomes"):
            return self._client.query(text, parameters=parameters).result_rows
