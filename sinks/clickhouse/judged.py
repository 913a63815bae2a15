"""What rules are judged on, out of ClickHouse as Arrow: merged requests, and the catalogue of what they served."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, Final

import polars as pl
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import errors
from sinks.clickhouse.journey import Journey
from sinks.clickhouse.queries import sql

EARLIER: Final = timedelta(minutes=1)  # before its window a request may have been answered, by clocks that disagree
OF_CANDIDATES: Final = frozenset({"scores", "model_ranks", "sources"})  # beside `served`, from all candidates


class Judged:
    """Frames of one database. traces: everywhere a query with the columns of the view `traces`, and parameters its own.

    Blocks; raises Unavailable when ClickHouse cannot answer. limits: ClickHouse settings that every query goes by.
    """

    def __init__(
        self, client: Client, database: str, journey: Journey, limits: Mapping[str, float] | None = None
    ) -> None:
        self._client = client
        self._database = database
        self._journey = journey
        self._limits = dict(limits or {})

    def frames(
        self, traces: str, columns: Sequence[str], begin: datetime, parameters: Mapping[str, Any], *, catalog: bool
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The requests, none of windows before `begin`, and the catalogue of what they served if that is wanted."""
        requests = self.requests(traces, columns, parameters)
        return requests, self.catalog(traces, begin - EARLIER, parameters) if catalog else pl.DataFrame()

    def requests(self, traces: str, columns: Sequence[str], parameters: Mapping[str, Any]) -> pl.DataFrame:
        """One row a request: these columns of what rules are judged on."""
        plain = [name for name in columns if name not in OF_CANDIDATES]
        query = sql("rule_traces", columns=", ".join(plain), traces=traces)
        if more := [name for name in columns if name in OF_CANDIDATES]:
            found = sql("rule_candidates", candidates=self._journey.candidates(narrowed(traces, more)))
            both = f"({query}) AS judged LEFT JOIN ({found}) AS model USING (request_id)"
            query = f"SELECT {', '.join(plain + more)} FROM {both}"
        return self._arrow(query, parameters)

    def catalog(self, traces: str, since: datetime, parameters: Mapping[str, Any]) -> pl.DataFrame:
        """The states of what these requests served from `since` on, with those in force then."""
        query = sql("rule_catalog", database=self._database, traces=traces)
        return self._arrow(query, {**parameters, "since": since})

    def _arrow(self, query: str, parameters: Mapping[str, Any]) -> pl.DataFrame:
        with errors("reading what rules judge"):
            answer = self._client.raw_query(
                query, parameters=dict(parameters), settings=self._limits, fmt="ArrowStream"
            )
        return pl.read_ipc_stream(BytesIO(answer))


def narrowed(traces: str, columns: Sequence[str]) -> str:
    """The traces with those events only that say something of these columns: a third of the work."""
    stages = ["scoring", "response", *(["retrieval"] if "sources" in columns else [])]
    return f"SELECT * REPLACE (arrayFilter(s -> s.stage IN {tuple(stages)}, stages) AS stages) FROM ({traces})"
