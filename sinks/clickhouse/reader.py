"""What people ask: one request, many requests, one item, dead letters. Reads only; every query has limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from clickhouse_connect.driver.client import Client

from sinks.clickhouse import chosen
from sinks.clickhouse.client import errors
from sinks.clickhouse.journey import Journey
from sinks.clickhouse.queries import sql

Row = dict[str, Any]
Asking = TypeVar("Asking")
STATUSES: Final = (
    "empty", "short", "fallback", "error", "timeout", "no_response", "incomplete", "conflict", "slow",
)  # fmt: skip
LIMITS: Final = {"readonly": 2, "max_execution_time": 60, "max_memory_usage": 4_000_000_000}
_NEAR: Final = (  # windows with requests of a period
    "window >= toStartOfInterval({since:DateTime('UTC')}, INTERVAL 10 SECOND) AND window < {until:DateTime('UTC')}"
)
# Subcolumns: of a trace's stages, most of it, no more is read than this takes.
_WITH_ITEM: Final = (
    "(arrayExists(items -> has(items, {item:String}), stages.items) OR "
    "arrayExists(by -> arrayExists(items -> has(items, {item:String}), mapValues(by)), stages.dropped))"
)
_REQUEST_COLUMNS: Final = (
    "request_id, at, placement, user_id, statuses, n_served, k, total_ms, segments, experiments, stages, served"
)


@dataclass(frozen=True)
class Period:
    """From since until until, and as long a time before."""

    since: datetime
    until: datetime

    @property
    def before(self) -> datetime:
        """The start of the period to compare with."""
        return self.since - (self.until - self.since)

    @property
    def parameters(self) -> dict[str, datetime]:
        """Query parameters."""
        return {"since": self.since, "until": self.until, "before": self.before}


@dataclass(frozen=True)
class RequestFilter:
    """What people remember of a request; empty means any."""

    user: str = ""
    placement: str = ""
    status: str = ""
    item: str = ""  # a candidate of it, served or not
    fate: str = ""  # of that item: served, or dropped, which is anything else
    segment: str = ""  # NAME=VALUE, several as sinks/clickhouse/chosen.py has them
    arm: str = ""  # EXPERIMENT=ARM, the same
    version: str = ""  # COMPONENT=VERSION
    rule: str = ""  # found at fault by it

    def condition(self, database: str) -> str:
        """An SQL expression over the columns of `traces`, with query parameters, among them those of the period."""
        wanted = {
            "user_id = {user:String}": self.user,
            "placement = {placement:String}": self.placement,
            "has(statuses, {status:String})": self.status,
            _WITH_ITEM: self.item,
            "has(served, {item:String})": self.item and self.fate == "served",
            "NOT has(served, {item:String})": self.item and self.fate == "dropped",
            chosen.condition("segments", chosen.pairs(self.segment)): self.segment,
            chosen.condition("experiments", chosen.pairs(self.arm)): self.arm,
            "has(arrayZip(stages.component, stages.version), ({component:String}, {version:String}))": self.version,
            f"request_id IN (SELECT request_id FROM {database}.violations WHERE rule = {{rule:String}} AND {_NEAR})": (
                self.rule
            ),
        }
        return " AND ".join([condition for condition, value in wanted.items() if value]) or "true"

    @property
    def parameters(self) -> dict[str, str]:
        """Query parameters."""
        component, _, version = self.version.partition("=")
        return {
            "user": self.user,
            "placement": self.placement,
            "status": self.status,
            "item": self.item,
            "component": component,
            "version": version,
            "rule": self.rule,
            **chosen.parameters("segments", chosen.pairs(self.segment)),
            **chosen.parameters("experiments", chosen.pairs(self.arm)),
        }


class Reader:
    """Questions to one database. Raises Unavailable when ClickHouse cannot answer."""

    def __init__(self, client: Client, database: str, journey: Journey, limits: Mapping[str, float] = LIMITS) -> None:
        """limits: ClickHouse settings that every query goes by."""
        self._client = client
        self._database = database
        self._journey = journey
        self._limits = dict(limits)

    def ask(self, query: str, parameters: Mapping[str, Any], **parts: str) -> list[Row]:
        """Rows of a query of sinks/clickhouse/queries; parts: text of our own in it, beside the database."""
        return self._rows(sql(query, database=self._database, **parts), parameters)

    def made(self, kind: Callable[[Client, str, Journey, Mapping[str, float]], Asking]) -> Asking:
        """Somebody else who asks the same database, by the same limits."""
        return kind(self._client, self._database, self._journey, self._limits)

    def trace(self, request_id: str) -> Row | None:
        """One request, merged as the seal would, as soon as any part of it has landed. None: never heard of."""
        rows = self._rows(self._trace_query(), {"request_id": request_id})
        return rows[0] if rows else None

    def fates(self, request_id: str) -> list[Row]:
        """How each of its candidates ended, served ones first, then by model rank."""
        order = "position = 0, position, model_rank = 0, model_rank, item"
        query = f"SELECT * EXCEPT (segments) FROM ({self._journey.fates(self._trace_query())}) ORDER BY {order}"
        return self._rows(query, {"request_id": request_id})

    def parts(self, request_id: str) -> list[Row]:
        """The landing rows of one request, without their stages."""
        return self._rows(
            f"SELECT window, has_request, closed, missing, flagged, spans, landed_at, length(stages) AS events "
            f"FROM {self._database}.landing WHERE request_id = {{request_id:String}} ORDER BY landed_at, window",
            {"request_id": request_id},
        )

    def requests(self, period: Period, wanted: RequestFilter, limit: int) -> list[Row]:
        """Requests of a period, newest first."""
        landing = f"SELECT * FROM {self._database}.landing WHERE {_NEAR} AND"
        sealed = f"(SELECT window FROM {self._database}.visible WHERE rows > 0)"
        unsealed = f"{landing} window NOT IN {sealed}"
        if wanted.item:  # merging costs most: of what cannot be meant nothing is
            unsealed += f" AND (window, request_id) IN (SELECT window, request_id FROM ({unsealed}) WHERE {_WITH_ITEM})"
        return self.ask(
            "requests",
            {**period.parameters, **wanted.parameters, "limit": limit},
            columns=_REQUEST_COLUMNS,
            when=_NEAR,
            unsealed=self._journey.merge(f"({unsealed})"),
            landed=self._journey.merge(f"({landing} (window, request_id) IN (SELECT window, request_id FROM landed))"),
            filters=wanted.condition(self._database),
        )

    def violations(self, request_id: str, period: Period) -> list[Row]:
        """What rules found wrong with one request, whose window is in the period."""
        return self.ask("request_violations", {**period.parameters, "request_id": request_id})

    def interactions(self, request_id: str, limit: int) -> list[Row]:
        """What its user did with what it served, in order of time."""
        return self.ask("request_interactions", {"request_id": request_id, "limit": limit})

    def find(self, text: str, since: datetime, recent: datetime) -> list[str]:
        """What a text is: request, user, item, several of them or nothing. Users and items without a catalogue entry
        are looked for from `since` on; requests that are not sealed yet by their user from `recent` on."""
        rows = self.ask("find", {"text": text, "since": since, "recent": recent})
        return [row["kind"] for row in rows]

    def known(self, period: Period) -> dict[str, list[str]]:
        """What requests of a period can be asked by: placement, segment (NAME=VALUE), arm (EXPERIMENT=ARM), version
        (COMPONENT=VERSION), rule."""
        found: dict[str, list[str]] = {"placement": [], "segment": [], "arm": [], "version": [], "rule": []}
        for row in self.ask("known", period.parameters):
            found[row["kind"]].append(row["value"])
        return found

    def item_series(self, item: str, period: Period, segment: str, placement: str, step: int) -> list[Row]:
        """How its candidacies ended by time, in steps of so many seconds, from the period before on."""
        parameters = {**period.parameters, "item": item, "segment": segment, "placement": placement, "step": step}
        return self.ask("item_series", parameters)

    def item_fates(self, item: str, period: Period, segment: str, placement: str) -> list[Row]:
        """How its candidacies ended, in the period and before it, commonest first."""
        return self._item("item_fates", item, period, segment, placement)

    def item_sources(self, item: str, period: Period, segment: str, placement: str) -> list[Row]:
        """Which sources brought it."""
        return self._item("item_sources", item, period, segment, placement)

    def item_traffic(self, item: str, period: Period, segment: str, placement: str) -> Row:
        """The requests among which it could have been, and the newest sealed window."""
        return self._item("item_traffic", item, period, segment, placement)[0]

    def item_segments(self, item: str, period: Period, placement: str) -> list[Row]:
        """How its candidacies ended by segment, now and before."""
        return self._item("item_segments", item, period, "", placement)

    def item_needs(self, item: str, period: Period, segment: str, placement: str, many: int) -> Row:
        """Its score and rank against those of the last slot, medians over the newest `many` requests that scored it."""
        return self._item("item_needs", item, period, segment, placement, many)[0]

    def item_rules(self, item: str, period: Period, segment: str, placement: str, many: int) -> list[Row]:
        """Rules that moved or dropped it in its newest `many` requests with such a rule, or found it at fault."""
        return self._item("item_rules", item, period, segment, placement, many)

    def segments(self, period: Period) -> list[str]:
        """The segments that item outcomes of the period are kept for, without the total."""
        query = (
            f"SELECT DISTINCT segment FROM {self._database}.item_outcomes WHERE segment != '' "
            "AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')} ORDER BY segment LIMIT 1000"
        )
        return [row["segment"] for row in self._rows(query, period.parameters)]

    def sealed_windows(self, period: Period) -> list[tuple[datetime, int]]:
        """The windows of a period that have requests, with how many, in order of time."""
        query = (
            f"SELECT window, requests FROM {self._database}.visible WHERE requests > 0 "
            "AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')} ORDER BY window"
        )
        return [(row["window"], row["requests"]) for row in self._rows(query, period.parameters)]

    def catalog(self, items: Sequence[str]) -> dict[str, Row]:
        """The newest catalogue entries of these items, by item."""
        rows = self.ask("catalog_items", {"items": list(items)})
        return {row["item"]: row for row in rows}

    def dead_letters(
        self, since: timedelta, until: datetime, *, reason: str = "", component: str = "", topic: str = "", limit: int
    ) -> list[Row]:
        """Dead letters with their bytes, those found last first."""
        parameters = {
            "since": until - since,
            "until": until,
            "reason": reason,
            "component": component,
            "topic": topic,
            "limit": limit,
        }
        with errors("reading dead letters"):
            result = self._client.query(
                sql("dead_letters", database=self._database),
                parameters=parameters,
                settings=self._limits,
                column_formats={"key": "bytes", "raw": "bytes"},
            )
        return list(result.named_results())

    def rules(self, since: datetime) -> list[Row]:
        """Every rule as it was published last, disabled ones last, and what it found from `since` on."""
        return self.ask("rules_list", {"since": since})

    def pressure(self, period: Period) -> list[Row]:
        """What rules did to the lists of each placement, the one with the most requests first. Nothing sealed: none."""
        return self.ask("pressure", period.parameters)

    def rule_pressure(self, period: Period, placement: str) -> list[Row]:
        """What each rule did, the one with the most served slots first. placement: empty for all."""
        return self.ask("rule_pressure", {**period.parameters, "placement": placement})

    def _trace_query(self) -> str:
        parts = (
            f"(SELECT * REPLACE (toDateTime(0, 'UTC') AS window) FROM {self._database}.landing "
            "WHERE request_id = {request_id:String})"
        )
        return sql("trace", database=self._database, merged=self._journey.merge(parts, which="1"))

    def _item(self, query: str, item: str, period: Period, segment: str, placement: str, many: int = 0) -> list[Row]:
        name, _, value = segment.partition("=")
        parameters = {
            **period.parameters, "item": item, "segment": segment, "segment_name": name, "segment_value": value,
            "placement": placement, "many": many,
        }  # fmt: skip
        return self.ask(query, parameters, when=_NEAR)

    def _rows(self, query: str, parameters: Mapping[str, Any]) -> list[Row]:
        with errors("asking"):
            result = self._client.query(query, parameters=dict(parameters), settings=self._limits)
        return list(result.named_results())
