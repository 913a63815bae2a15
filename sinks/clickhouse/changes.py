"""What changed between two times of the same length: sums of sealed windows, now and then. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from clickhouse_connect.driver.client import Client

from schemas.parts import WINDOW_MS
from sinks.clickhouse.client import errors
from sinks.clickhouse.queries import sql

Row = dict[str, Any]
By = Literal["segment", "placement"]

LEVELS: Final = tuple(n / 100 for n in range(1, 100))  # of the latency quantiles in every row of `segments`
SAMPLED: Final = 20_000  # traces of a period, about, that questions about single traces read
MIN_WINDOWS: Final = 10  # of a sample
_LIMITS: Final = {"readonly": 2, "max_execution_time": 60, "max_memory_usage": 4_000_000_000}
_WINDOW: Final = timedelta(milliseconds=WINDOW_MS)
_HOURS_AFTER: Final = timedelta(days=2)  # item outcomes older than that are kept by the hour
BOTH: Final = (
    "(window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')} "
    "OR window >= {then_since:DateTime('UTC')} AND window < {then_until:DateTime('UTC')})"
)
# Of a table of runs what its view would show. Through the view all of `stages` would be read for a part of it.
_VISIBLE: Final = f"(window, run, tail) IN (SELECT window, run, tail FROM DATABASE.visible WHERE {BOTH})"


@dataclass(frozen=True)
class Times:
    """Whole windows from since until until, and the same `back` before. ValueError where the two overlap, or begin or
    end within a window: then one of them would have a window more."""

    since: datetime
    until: datetime
    back: timedelta

    def __post_init__(self) -> None:
        if self.back < self.until - self.since:
            raise ValueError("the time to compare with must not reach into the period")
        if any(at.timestamp() % _WINDOW.total_seconds() for at in self.parameters.values()):
            raise ValueError(f"times must begin and end with windows of {_WINDOW.total_seconds():.0f} s")

    @classmethod
    def ending(cls, until: datetime, length: timedelta, back: timedelta) -> "Times":
        """The last `length` before `until`, rounded to whole windows."""
        end = until - timedelta(seconds=until.timestamp() % _WINDOW.total_seconds())
        whole, shift = max(length // _WINDOW, 1) * _WINDOW, max(back // _WINDOW, 1) * _WINDOW
        return cls(end - whole, end, shift)

    @property
    def parameters(self) -> dict[str, datetime]:
        """Query parameters."""
        then_since, then_until = self.since - self.back, self.until - self.back
        return {"since": self.since, "until": self.until, "then_since": then_since, "then_until": then_until}

    def of_outcomes(self, now: datetime) -> dict[str, datetime]:
        """The same for item outcomes: what is old from the start of its hour, as hours are all that is left of it."""
        told = self.parameters
        for start in ("then_since", "since"):
            if told[start] < now - _HOURS_AFTER:
                told[start] = told[start].replace(minute=0, second=0, microsecond=0)
        told["then_until"] = min(told["then_until"], told["since"])
        return told


@dataclass(frozen=True)
class Evidence:
    """What a request to look at shows. Empty: any."""

    statuses: tuple[str, ...] = ()  # any of them
    segment: tuple[str, str] | None = None  # name and value
    arm: tuple[str, str] | None = None  # experiment and variant
    component: str = ""  # it failed, put out nothing, or has
    version: str = ""  # of it, or has
    reason: str = ""  # it gave a drop, or has
    rule: str = ""  # adjusted a candidate
    slowest: bool = False  # first

    def condition(self) -> str:
        """An SQL expression over the columns of `traces`, with query parameters."""
        wanted = {
            "hasAny(statuses, {statuses:Array(String)})": self.statuses,
            "segments[{segment:String}] = {value:String}": self.segment,
            "experiments[{arm:String}] = {variant:String}": self.arm,
            "arrayExists((component, version) -> component = {component:String} AND version = {version:String}, "
            "stages.component, stages.version)": self.version,
            "arrayExists((component, dropped, adjusted) -> component = {component:String} "
            "AND (has(mapKeys(dropped), {reason:String}) "
            "OR arrayExists(a -> a.action = 'drop' AND a.rule_id = {reason:String}, adjusted)), "
            "stages.component, stages.dropped, stages.adjustments)": self.reason,
            "arrayExists(adjusted -> has(adjusted.rule_id, {rule:String}), stages.adjustments)": self.rule,
            "arrayExists((component, status, n, items) -> component = {component:String} "
            "AND (status IN ('timeout', 'error') OR ifNull(n, length(items)) = 0), "
            "stages.component, stages.status, stages.n_out, stages.items)": self.component
            if not (self.version or self.reason or self.rule)
            else "",
        }
        return " AND ".join(condition for condition, value in wanted.items() if value) or "true"

    @property
    def parameters(self) -> dict[str, str | list[str]]:
        """Query parameters."""
        segment, arm = self.segment or ("", ""), self.arm or ("", "")
        return {
            "statuses": list(self.statuses),
            "segment": segment[0], "value": segment[1], "arm": arm[0], "variant": arm[1],
            "component": self.component, "version": self.version, "reason": self.reason, "rule": self.rule,
        }  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """Questions about two times, at one placement or (empty) all. Raises Unavailable when ClickHouse cannot answer."""

    client: Client
    database: str
    times: Times
    now: datetime  # the present
    placement: str = ""

    def seals(self) -> Row:
        """How many windows of both times are sealed, and until when anything is."""
        return self._rows("changed_seals", self.times.parameters)[0]

    def segments(self, by: By) -> list[Row]:
        """Sums of requests by segment (the total is '') or by placement, with latency quantiles at LEVELS, in ms."""
        levels = ", ".join(map(repr, LEVELS))
        return self._rows("changed_segments", self.times.parameters, by=by, only=only(by), levels=levels)

    def chosen(self, by: By) -> list[Row]:
        """Candidacies, and how many of them were served, by the segments that outcomes are kept for or by placement."""
        return self._rows("changed_yield", self.times.of_outcomes(self.now), by=by, only=only(by))

    def stages(self) -> list[Row]:
        """Sums of each version of each component."""
        return self._rows("changed_stages", self.times.parameters)

    def fates(self, segment: str = "") -> list[Row]:
        """How candidacies ended, of all requests or in one segment that outcomes are kept for."""
        return self._rows("changed_fates", {**self.times.of_outcomes(self.now), "segment": segment})

    def guard(self) -> list[Row]:
        """How candidacies of items ended that were not available, by the catalogue as of then."""
        return self._rows("changed_guard", self.times.of_outcomes(self.now))

    def bad(self, statuses: Sequence[str], within: Evidence, *, all_before: bool, requests: float) -> list[Row]:
        """What components did in requests of any of these statuses, of those that `within` says; before in all such
        requests, or in those of the statuses, too. requests: about how many there are; a sample is read."""
        told = {**self.times.parameters, **within.parameters, "statuses": list(statuses), "all_before": all_before}
        return self._rows("changed_bad", told, condition=within.condition(), sampled=self._sampled(requests))

    def rules(self, requests: float) -> list[Row]:
        """How often and by how much rules adjusted candidates. requests: about how many there are; a sample is read."""
        return self._rows("changed_rules", self.times.parameters, sampled=self._sampled(requests))

    def version(self, component: str, version: str, requests: float) -> list[Row]:
        """In which segments and arms its requests are; '' is all."""
        told = {**self.times.parameters, "component": component, "version": version}
        return self._rows("changed_versions", told, sampled=self._sampled(requests))

    def examples(self, evidence: Evidence, limit: int) -> list[str]:
        """Ids of requests of the period that show it."""
        order = "total_ms DESC," if evidence.slowest else ""
        told = {**self.times.parameters, **evidence.parameters, "limit": limit}
        rows = self._rows("changed_examples", told, condition=evidence.condition(), order=order)
        return [row["request_id"] for row in rows]

    def _sampled(self, requests: float) -> str:
        """A condition that leaves about SAMPLED traces: of every so-many-th window, which need not be read otherwise,
        and where there are too few windows for that, of every so-many-th request."""
        one_in = max(int(requests // SAMPLED), 1)
        windows = (self.times.until - self.times.since) // _WINDOW
        every = min(one_in, max(windows // MIN_WINDOWS, 1))
        return (
            f"intDiv(toUnixTimestamp(window), {_WINDOW.total_seconds():.0f}) % {every} = 0 "
            f"AND cityHash64(request_id) % {one_in // every} = 0"
        )

    def _rows(self, query: str, parameters: Mapping[str, Any], **fill: str) -> list[Row]:
        visible = _VISIBLE.replace("DATABASE", self.database)
        text = sql(query, database=self.database, both=BOTH, visible=visible, **fill)
        with errors("asking"):
            result = self.client.query(text, parameters={"placement": self.placement, **parameters}, settings=_LIMITS)
        return list(result.named_results())


def only(by: By) -> str:
    """Of placements the totals, or every segment would be counted again."""
    return "segment = ''" if by == "placement" else "true"
