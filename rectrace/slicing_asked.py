"""Asks for slices: from questions to sinks/clickhouse/slices.py to lines. For the console."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rectrace.changed_facts import p95
from rectrace.changed_metrics import Metric
from rectrace.item_story import newest_sealed
from rectrace.slicing import FAMILY, SEALED, Line, lines, slices
from schemas.parts import WINDOW_S
from sinks.clickhouse.changes import Times
from sinks.clickhouse.reader import Reader
from sinks.clickhouse.rows import utc
from sinks.clickhouse.slices import EXPERIMENT, MOST, PLACEMENT, Slices, Within, by_one, names


@dataclass(frozen=True)
class Source:
    """Where slices come from. whole_since: from when on all traces are kept, and not only those of bad requests."""

    reader: Reader
    database: str
    whole_since: datetime


@dataclass(frozen=True)
class Span:
    """A time, and what is sealed of it. sealed: until when anything is; None: nothing ever."""

    times: Times
    sealed: datetime | None
    windows: int
    incomplete: int


@dataclass(frozen=True)
class Asked:
    """What is asked for. by and across: `placement`, the name of a segment, experiment.NAME; across may be empty, by is
    then looked up if it is."""

    metric: Metric
    by: str
    across: str
    within: Within


@dataclass(frozen=True)
class Looked:
    """The answer. names: all that requests are told apart by then, with the placement. traced: counted from traces of
    the time `times`, which may be shorter than what was asked for; sampled: of about so many requests; before: whether
    there is a time to compare with; limit: ms, above which a request counts as slow for the latency metric."""

    span: Span
    times: Times
    names: tuple[str, ...]
    by: str
    across: str
    requests: float
    lines: tuple[Line, ...]
    traced: bool
    sampled: int
    before: bool
    limit: float


def settled(source: Source, since: datetime, until: datetime, *, until_now: bool) -> Span:
    """Whole windows of a time; one that ends at the present is moved to where all of it is sealed."""
    length = until - since
    times = Times.ending(until, length, length)
    seals = Slices(source.reader, source.database, times).seals()
    if until_now and (end := newest_sealed(until, seals["sealed"])) != until:
        times = Times.ending(end, length, length)
        seals = Slices(source.reader, source.database, times).seals()
    sealed = utc(seals["sealed"]) if seals["sealed"] else None
    return Span(times, sealed, seals["windows_now"], seals["incomplete_now"])


def look(source: Source, asked: Asked, span: Span) -> Looked:
    """Raises Unavailable when ClickHouse cannot answer."""
    sealed = Slices(source.reader, source.database, span.times, asked.within)
    rows = sealed.sealed("segment")
    told = (*names(rows), PLACEMENT)
    by = asked.by or told[0]
    asked = replace(asked, by=by, across=asked.across if asked.across != by else "")
    total = next((row for row in rows if row["element"] == "" and row["is_now"]), None)
    requests = float(total["requests"]) if total else 0.0
    limit = p95(total) if total and total["responded"] else 0.0
    made = Looked(span, span.times, told, asked.by, asked.across, requests, (), False, 0, True, limit)
    if not total:
        return made
    if asked.metric.name in SEALED and not asked.across and not (asked.within.segments or asked.within.arms):
        found = sealed.sealed("placement") if asked.by == PLACEMENT else by_one(rows, asked.by)
        before = any(not row["is_now"] for row in rows)
        return replace(made, lines=tuple(lines(asked.metric, slices(found, asked.metric, limit))), before=before)
    times, comparable = kept(span.times, source.whole_since)
    if times is None:
        return replace(made, traced=True, before=False)
    family = FAMILY[asked.metric.name]
    found = replace(sealed, times=times).traced(family, asked.by, asked.across, requests)
    if not asked.across:
        found = [{**row, "element": row["first"]} for row in found]
    found = [row for row in found if comparable or row["is_now"]]
    before = any(not row["is_now"] for row in found)
    sampled = MOST[family] if requests > 2 * MOST[family] else 0
    told_lines = tuple(lines(asked.metric, slices(found, asked.metric, limit)))
    return replace(made, times=times, lines=told_lines, traced=True, sampled=sampled, before=before)


def kept(times: Times, whole_since: datetime) -> tuple[Times | None, bool]:
    """What of the time all traces are kept of, and whether there is a time before to compare with. None: nothing."""
    if times.since - times.back >= whole_since:
        return times, True
    window = timedelta(seconds=WINDOW_S)
    length = min(times.until - times.since, times.until - whole_since)
    if length < window:
        return None, False
    return Times.ending(times.until, length, times.back), False


def shown(name: str) -> str:
    """What a thing is called that requests are told apart by."""
    return f"experiment {name.removeprefix(EXPERIMENT)}" if name.startswith(EXPERIMENT) else name
