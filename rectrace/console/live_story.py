"""What is going on now: the newest sealed minute against the same one earlier. Pure, but for `ask`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rectrace import alert_list
from rectrace.alert_list import Incident
from rectrace.terminal import share
from schemas.parts import WINDOW_S
from sinks.clickhouse import incidents
from sinks.clickhouse.reader import Period, Reader
from sinks.clickhouse.rows import utc, when
from streams.alerts.text import Links
from streams.detect.proportion import Share, count_difference, difference

NOW: Final = timedelta(seconds=60)
SEGMENTS: Final = timedelta(minutes=5)  # segments are small, and need longer
EARLIER: Final = {3_600: "one hour earlier", 600: "ten minutes earlier", 60: "the minute before"}  # the first there is
SAMPLE: Final = 300  # requests, of which sources are told
SHOWN: Final = 8  # segments
Z: Final = 3.0  # standard errors that are more than chance
SLOWER: Final = (1.25, 20.0)  # a response time that is so many times as long, and so many ms longer
FEW: Final = 50  # requests, of which a percentile says little


@dataclass(frozen=True)
class Counts:
    """Requests of a minute."""

    requests: int
    responses: int
    empty: int
    short: int
    fallback: int
    failed: int
    p95: float | None  # ms

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Counts":
        """A row of live_numbers."""
        requests, responses, empty, short, fallback, failed = (
            int(row[name]) for name in ("requests", "responses", "empty_ones", "short_ones", "fallbacks", "failures")
        )
        return cls(requests, responses, empty, short, fallback, failed, row["p95"])


NONE: Final = Counts(0, 0, 0, 0, 0, 0, None)


@dataclass(frozen=True)
class Figure:
    """One number. tone: bad where it is worse by more than chance, good where it is better, else empty."""

    name: str
    value: str
    before: str
    tone: str


@dataclass(frozen=True)
class Live:
    """All that the page shows of a moment. earlier: what it is compared with; empty: nothing."""

    until: datetime  # everything is sealed until then
    earlier: str
    now: Counts
    before: Counts
    placements: dict[str, Counts]
    funnel: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    firing: list[Incident]
    evaluated: datetime | None  # alerts, until then; None: never

    @property
    def since(self) -> datetime:
        """Where the minute begins."""
        return self.until - NOW


def ask(reader: Reader, placement: str) -> Live | None:
    """placement: empty for all. None: nothing is sealed yet."""
    newest = reader.ask("alert_newest", {})[0]["newest"]
    if not newest:
        return None
    until = when(newest + WINDOW_S)
    since = until - NOW
    windows = reader.sealed_windows(Period(since - timedelta(seconds=max(EARLIER)), until))
    ago = comparable([at for at, _ in windows], until)
    back = timedelta(seconds=ago)
    times = {"since": since, "until": until, "earlier": since - back, "earlier_until": until - back}
    if not ago:
        times |= {"earlier": since, "earlier_until": since}  # none at all
    asked = {**times, "placement": placement}
    counts = reader.ask("live_numbers", times)
    sample = {"placement": placement, "sample": SAMPLE}
    last = until - timedelta(seconds=WINDOW_S)
    sources = [reader.ask("live_sources", {**sample, "window": last})]
    sources.append(reader.ask("live_sources", {**sample, "window": last - back}) if ago else [])
    worst = {"since": until - SEGMENTS, "until": until, "placement": placement, "limit": 200}
    evaluated = incidents.newest(reader)
    firing = [each for each in alert_list.incidents([], evaluated, Links()) if each.status == "firing"]
    return Live(
        until=until,
        earlier=EARLIER.get(ago, ""),
        now=chosen(counts, placement, now=True),
        before=chosen(counts, placement, now=False),
        placements={row["place"]: Counts.of(row) for row in counts if row["is_now"] and not row["is_all"]},
        funnel=funnel(reader.ask("live_funnel", asked)),
        sources=yields(*sources),
        segments=worse(reader.ask("live_segments", worst)),
        rules=violated(reader.ask("live_rules", asked)),
        firing=[each for each in firing if not placement or each.labels.get("placement", placement) == placement],
        evaluated=incidents.evaluated(evaluated),
    )


def comparable(windows: Sequence[datetime], until: datetime) -> int:
    """How many seconds earlier there were requests to compare with; 0: never. windows: those with requests."""
    there = {utc(at) for at in windows}
    of_minute = [until - timedelta(seconds=WINDOW_S * n) for n in range(1, int(NOW.total_seconds()) // WINDOW_S + 1)]
    for ago in EARLIER:
        found = sum(at - timedelta(seconds=ago) in there for at in of_minute)
        if found * 2 >= len(of_minute):
            return ago
    return 0


def chosen(rows: Sequence[Mapping[str, Any]], placement: str, *, now: bool) -> Counts:
    """Of the placement, or of all."""
    for row in rows:
        wanted = row["place"] == placement and not row["is_all"] if placement else row["is_all"]
        if wanted and bool(row["is_now"]) is now:
            return Counts.of(row)
    return NONE


def figures(live: Live) -> list[Figure]:
    """The numbers of the minute, each against the earlier one."""
    now, before, seconds = live.now, live.before if live.earlier else None, NOW.total_seconds()
    z = count_difference(before.requests, now.requests) if before else 0.0
    found = [
        Figure(
            "requests/s",
            f"{now.requests / seconds:,.1f}",
            f"{before.requests / seconds:,.1f}" if before else "",
            "bad" if z < -Z and before and now.requests < before.requests * 0.7 else "",
        )
    ]
    for name, part, whole in (
        ("empty", "empty", "responses"), ("short", "short", "responses"), ("fallback", "fallback", "responses"),
        ("error", "failed", "requests"),
    ):  # fmt: skip
        here = _share(now, part, whole)
        there = _share(before, part, whole) if before else None
        z = difference(there, here) if there else 0.0
        tone = "bad" if z > Z else "good" if z < -Z else ""
        found.append(Figure(name, _shown(here), _shown(there) if there else "", tone))
    found.append(Figure("p95", _ms(now.p95), _ms(before.p95) if before else "", _slower(now, before)))
    return found


def _share(counts: Counts, part: str, whole: str) -> Share:
    n = getattr(counts, whole)
    return Share(getattr(counts, part), n, n)


def _shown(of: Share) -> str:
    return share(of.value) if of.whole else "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _slower(now: Counts, before: Counts | None) -> str:
    if before is None or not now.p95 or not before.p95 or min(now.responses, before.responses) < FEW:
        return ""
    ratio, floor = SLOWER
    slow, fast = max(now.p95, before.p95), min(now.p95, before.p95)
    if slow / fast < ratio or slow - fast < floor:
        return ""
    return "bad" if now.p95 > before.p95 else "good"


def funnel(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Candidates a call and yields in percent, by component; None: not there, or nothing comes in (sources)."""
    return [
        {
            "stage": row["stage_name"],
            "component": row["name"],
            "taken": _per(row["taken"], row["calls"]) if row["taken"] else None,
            "passed": _per(row["passed"], row["calls"]),
            "passed_before": _per(row["passed_before"], row["calls_before"]),
            "yield": _percent(row["passed"], row["taken"]),
            "yield_before": _percent(row["passed_before"], row["taken_before"]),
            "failed": _percent(row["failures"], row["calls"]),
            "failed_before": _percent(row["failures_before"], row["calls_before"]),
        }
        for row in rows
    ]


def yields(now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sources of some requests: candidates a request that has any, those of them served, and the yield in percent. A
    source that brings nothing any more is there, with none."""
    earlier = {row["source"]: row for row in before}
    told = [
        {
            "source": row["source"],
            "retrieved": _per(row["retrieved"], row["requests"]),
            "served": _per(row["in_list"], row["requests"]),
            "yield": _yield(row),
            "yield_before": _yield(earlier.get(row["source"])),
        }
        for row in now
    ]
    gone = [name for name in earlier if name not in {row["source"] for row in now}]
    return told + [
        {
            "source": name, "retrieved": 0.0, "served": 0.0, "yield": None,
            "yield_before": _yield(earlier[name]),
        }
        for name in gone
    ]  # fmt: skip


def _yield(row: Mapping[str, Any] | None) -> float | None:
    return _percent(row["in_list"], row["retrieved"]) if row else None


def worse(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Segments that lose good events, (rate among the others - rate) x requests, by more than chance explains."""
    told = []
    for row in rows:
        requests, rest = int(row["requests"]), int(row["rest_requests"])
        here, others = Share(row["bad"], requests, requests), Share(row["rest_bad"], rest, rest)
        if difference(others, here) > Z:
            lost = (here.value - others.value) * requests
            told.append(
                {
                    "placement": row["place"], "segment": row["name"], "requests": requests, "bad": here.value * 100,
                    "others": others.value * 100, "lost": lost,
                }
            )  # fmt: skip
    return told[:SHOWN]


def violated(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rules with requests at fault; those that had none before first, then by severity and number."""
    told = [
        {
            "rule": row["rule_id"], "severity": row["severity_name"], "found": row["found"],
            "share": _percent(row["found"], row["of"]), "share_before": _percent(row["found_before"], row["of_before"]),
            "new": bool(row["of_before"]) and not row["found_before"], "examples": list(row["examples"]),
        }
        for row in rows
    ]  # fmt: skip
    order = {"page": 0, "ticket": 1, "info": 2}
    return sorted(told, key=lambda row: (not row["new"], order.get(row["severity"], 3), -row["found"], row["rule"]))


def _per(total: float, of: float) -> float | None:
    return total / of if of else None


def _percent(part: float, whole: float) -> float | None:
    return part / whole * 100 if whole else None
