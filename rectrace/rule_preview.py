"""A rule that watches, over the requests of a short time: how many it finds at fault, and the lists that it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from schemas.rules import Rule
from schemas.wire import epoch_ms
from sinks.clickhouse.judged import Judged
from sinks.clickhouse.reader import Period, Reader
from sinks.clickhouse.rows import utc
from streams.rules.judge import Judge

MOST: Final = 3_000  # requests that are judged
SHOWN: Final = 12  # lists
_NEEDED: Final = ("request_id", "at", "placement", "segments", "served")


@dataclass(frozen=True)
class Slate:
    """One list at fault. items: as it was served; marked: by place, 1-based, what `when` saw of an item at fault;
    values: what it saw of the list or the request as a whole."""

    request_id: str
    at: datetime
    placement: str
    segments: Mapping[str, str]
    items: list[str]
    marked: dict[int, dict[str, str]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Preview:
    """What came of it. there: sealed requests of the time, of which so many were read, evenly over it."""

    since: datetime
    until: datetime
    there: int
    read: int
    judged: int
    hit: int
    violations: int
    slates: Sequence[Slate]
    catalog: Mapping[str, Mapping[str, Any]]
    failed: str = ""

    @property
    def share(self) -> float:
        """Of the judged."""
        return self.hit / self.judged if self.judged else 0.0


def evenly(windows: Sequence[tuple[datetime, int]], most: int) -> list[datetime]:
    """Windows over the whole time whose requests are not many more than `most`. windows: (start, requests)."""
    requests = sum(count for _, count in windows)
    step = max(-(-requests // most), 1)
    return [start for start, _ in windows[::-1][::step]]


def preview(reader: Reader, database: str, rule: Rule, period: Period, most: int = MOST) -> Preview:
    """Judge a rule, whatever its action, over what is sealed of a period. Raises Unavailable."""
    judge = Judge([rule.model_copy(update={"action": None})])
    windows = reader.sealed_windows(period)
    chosen = evenly(windows, most)
    there = sum(count for _, count in windows)
    if not chosen or judge.failed:
        return Preview(period.since, period.until, there, 0, 0, 0, 0, [], {}, judge.failed.get(rule.id, ""))
    judged = reader.made(Judged)
    traces = (
        f"SELECT * FROM {database}.traces WHERE window >= {{first:DateTime('UTC')}} "
        "AND window <= {last:DateTime('UTC')} AND toUnixTimestamp(window) IN {windows:Array(UInt32)}"
    )
    first, last = min(chosen), max(chosen)
    parameters = {"first": first, "last": last, "windows": [epoch_ms(utc(each)) // 1000 for each in chosen]}
    columns = list(dict.fromkeys([*judge.columns, *_NEEDED]))
    requests, catalog = judged.frames(traces, columns, first, parameters, catalog=judge.needs_catalog)
    verdict = judge.judge(requests, catalog)
    slates = _slates(verdict.hits, requests)
    items = list(dict.fromkeys(item for slate in slates for item in slate.items))
    return Preview(
        period.since, period.until, there, requests.height,
        int(verdict.counts.get_column("judged").sum()), int(verdict.counts.get_column("hit").sum()),
        verdict.hits.height, slates, reader.catalog(items), verdict.failed.get(rule.id, ""),
    )  # fmt: skip


def _slates(hits: pl.DataFrame, requests: pl.DataFrame) -> list[Slate]:
    """The newest."""
    newest = hits.sort("at", descending=True).get_column("request_id").unique(maintain_order=True).head(SHOWN)
    known = {row["request_id"]: row for row in requests.filter(pl.col("request_id").is_in(newest.implode())).to_dicts()}
    slates = {name: _slate(known[name]) for name in newest}
    for hit in hits.filter(pl.col("request_id").is_in(newest.implode())).iter_rows(named=True):
        seen = {pair["key"]: pair["value"] for pair in hit["values"]}
        slate = slates[hit["request_id"]]
        if hit["position"]:
            slate.marked[hit["position"]] = seen
        else:
            slate.values.update(seen)
    return list(slates.values())


def _slate(row: Mapping[str, Any]) -> Slate:
    segments = {pair["key"]: pair["value"] for pair in row["segments"] or ()}
    return Slate(row["request_id"], row["at"], row["placement"], segments, list(row["served"] or ()))


def last_hour(now: datetime) -> Period:
    """What is previewed."""
    return Period(now - timedelta(hours=1), now)
