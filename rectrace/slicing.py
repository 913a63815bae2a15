"""Slices of requests, and how each of them fares against all others: pure, from rows of sinks/clickhouse/slices.py."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from rectrace.changed_facts import NONE, NOTHING, Amount, Pair, Sums, amount
from rectrace.changed_metrics import METRICS as OF_SEALED
from rectrace.changed_metrics import P95, Metric, share_above
from sinks.clickhouse.changes import LEVELS
from sinks.clickhouse.slices import Family
from streams.detect.proportion import Z95, Interval, apart, likelihood, mean_difference
from streams.detect.scan import benjamini_hochberg
from streams.detect.tails import two_sided

Row = Mapping[str, Any]
Values = tuple[str, ...]  # of each thing that requests are told apart by
Verdict = Literal["worse", "better", "few requests", ""]

FEW: Final = 100  # requests: a share of fewer says little
Q: Final = 0.01  # of what is called worse or better, so much may be chance
VARIATION: Final = 0.5  # of means: their standard deviation is taken for so much of them, at most


def _column(name: str) -> Any:
    return lambda row: float(row[name])


def _status(name: str, says: str) -> Metric:
    return Metric(name, "share", says, _column(name), statuses=(name,))


# By what has to be read for it. What sealed windows have is in `serving`, and so is what only traces tell.
TRACED: Final[Mapping[Family, tuple[Metric, ...]]] = {
    "serving": (
        _status("error", "requests with an error"),
        _status("timeout", "requests with a timeout"),
        _status("slow", "slow requests"),
        _status("conflict", "requests with conflicting events"),
    ),
    "candidates": (
        Metric("candidates", "mean", "candidates a request", _column("candidates"), more_is_worse=False),
        Metric("yield", "share", "candidates served", _column("chosen"), whole="candidates", more_is_worse=False),
    ),
    "rules": (Metric("violations", "share", "requests that a rule found at fault", _column("violations")),),
    "clicks": (
        Metric("ctr", "share", "clicks of impressions (CTR)", _column("clicks"), whole="shown", more_is_worse=False),
        Metric(
            "cvr", "share", "purchases of impressions (CVR)", _column("purchases"), whole="shown", more_is_worse=False
        ),
    ),
    "pressure": (
        Metric("pressure", "share", "rule pressure (1 - RBO)", _column("pressure"), whole="judged", more_is_worse=None),
        Metric(
            "rule_slots", "share", "slots that rules filled", _column("slots_by_rules"), whole="slots_by_primary",
            more_is_worse=None,
        ),
    ),
}  # fmt: skip
SEALED: Final[Mapping[str, Metric]] = {name: metric for name, metric in OF_SEALED.items() if name != "yield"}
METRICS: Final[Mapping[str, Metric]] = {
    **SEALED, **{metric.name: metric for metrics in TRACED.values() for metric in metrics},
}  # fmt: skip
FAMILY: Final[Mapping[str, Family]] = {
    **dict.fromkeys(SEALED, "serving"),
    **{metric.name: family for family, metrics in TRACED.items() for metric in metrics},
}  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """The requests of some values, now and before. p95: of their latency, in ms, where it was asked for."""

    values: Values
    pair: Pair
    p95: tuple[float | None, float | None] = (None, None)  # before and now
    bounds: Interval | None = None  # of the p95 now


@dataclass(frozen=True)
class Line:
    """A slice against all others. expected: the metric of the others; of a latency value and before are the p95 and the
    rest is about the share above that of all. lost: good events, more than others lose; below 0, fewer."""

    values: Values
    requests: float
    requests_before: float
    part: float
    whole: float
    value: float | None
    interval: Interval | None
    before: float | None
    share: float | None
    expected: float | None
    lost: float | None
    z: float
    verdict: Verdict = ""

    @property
    def few(self) -> bool:
        """Too few requests to say anything."""
        return self.requests < FEW


def slices(rows: Sequence[Row], metric: Metric, slow_ms: float) -> list[Slice]:
    """Of rows with `first` and `second`, or with `element`. slow_ms: the p95 of all, for the latency metric."""
    found: dict[Values, list[Sums]] = defaultdict(lambda: [NOTHING, NOTHING])
    p95s: dict[Values, list[float | None]] = defaultdict(lambda: [None, None])
    bounds: dict[Values, Interval] = {}
    for row in rows:
        told_by = [row["element"]] if "element" in row else [row["first"], row["second"]]
        values = tuple(value or NONE for value in told_by)
        now = int(row["is_now"])
        told = dict(row)
        if metric.kind == "latency":
            told["slow"] = share_above(row["latency"], slow_ms) * row["responded"] if row["responded"] else 0.0
            if row["responded"]:
                p95s[values][now] = float(row["latency"][P95])
            if now and (held := quantile_interval(row["latency"], 0.95, row["responded"])):
                bounds[values] = held
        found[values][now] += Sums(metric.part(told), float(told[metric.whole]), float(row["requests"]))
    return [
        Slice(values, Pair(*both), (p95s[values][0], p95s[values][1]), bounds.get(values))
        for values, both in found.items()
    ]


def quantile_interval(quantiles: Sequence[float], level: float, n: float) -> Interval | None:
    """The 95 % interval of a quantile, from quantiles at LEVELS, of n values: those at the levels that the rank may
    have by chance. None where it goes beyond the last level, as that of few values does."""
    if n <= 0:
        return None
    half = Z95 * math.sqrt(level * (1 - level) / n)
    low, high = (round((level + side * half) * 100) - 1 for side in (-1, 1))
    low, high = min(low, round(level * 100) - 2), max(high, round(level * 100))
    return Interval(quantiles[low], quantiles[high]) if low >= 0 and high < len(LEVELS) else None


def lines(metric: Metric, found: Sequence[Slice]) -> list[Line]:
    """Each slice of the time now against all others of it, most lost good events first; of a count, most first."""
    total = _sum(each.pair.now for each in found)
    told = [_line(metric, each, total) for each in found if each.pair.now.requests > 0]
    if metric.kind == "count":
        return sorted(told, key=lambda each: (-each.part, each.values))
    compared = {each.values: two_sided(each.z) for each in told if not each.few and each.expected is not None}
    passing = benjamini_hochberg(compared, Q)
    judged = [replace(each, verdict=_verdict(metric, each, passed=each.values in passing)) for each in told]
    return sorted(judged, key=lambda each: (-(each.lost or 0.0), -each.requests, each.values))


def measure(metric: Metric, one: Slice, *, now: bool = True) -> Amount | None:
    """The metric of a slice with its interval; None where there is nothing to take it of."""
    sums = one.pair[int(now)]
    if not sums.whole and metric.kind != "count":
        return None
    made = amount(metric, sums)
    if metric.kind == "latency":
        p95 = one.p95[int(now)]
        return replace(made, value=p95, interval=one.bounds if now else None) if p95 is not None else None
    if metric.kind == "mean":
        half = Z95 * VARIATION * made.value / math.sqrt(max(sums.requests, 1.0))
        return replace(made, interval=Interval(max(made.value - half, 0.0), made.value + half))
    return made


def compared(metric: Metric, one: Slice, other: Slice) -> tuple[float, Interval | None, float] | None:
    """How much more of the metric the first has than the other, the 95 % interval of that where there is one, and z of
    it; None where one of them has nothing."""
    mine, theirs = measure(metric, one), measure(metric, other)
    if mine is None or theirs is None or metric.kind == "count":
        return None
    interval = None
    if mine.interval and theirs.interval:
        interval = apart(mine.value, mine.interval, theirs.value, theirs.interval)
    return mine.value - theirs.value, interval, _z(metric, other.pair.now, one.pair.now)


def heat(line: Line, all_of: float) -> float:
    """What a cell's colour shows: not the value, but the end of its interval that is nearer to all_of, what it is of
    all. Else the few requests of some cell would be the hottest by chance."""
    if line.value is None or line.interval is None:
        return line.value or 0.0
    low, high = line.interval
    return max(low, all_of) if line.value > all_of else min(high, all_of)


def overall(told: Sequence[Line]) -> float:
    """A share or a mean of all lines together."""
    whole = sum(each.whole for each in told)
    return sum(each.part for each in told) / whole if whole else 0.0


def _z(metric: Metric, other: Sums, mine: Sums) -> float:
    if metric.kind == "mean":
        return mean_difference(other.share, mine.share, VARIATION)
    return likelihood(other.share, mine.share)


def _line(metric: Metric, each: Slice, total: Sums) -> Line:
    mine, rest = each.pair.now, total - each.pair.now
    measured, before = measure(metric, each), measure(metric, each, now=False)
    expected = rest.share.value if rest.whole > 0 and metric.kind != "count" else None
    share = mine.share.value if mine.whole else None
    lost = None
    if share is not None and expected is not None and metric.more_is_worse is not None:
        lost = (share - expected) * mine.whole * (1 if metric.more_is_worse else -1)
    return Line(
        values=each.values,
        requests=mine.requests,
        requests_before=each.pair.before.requests,
        part=mine.part,
        whole=mine.whole,
        value=measured.value if measured else None,
        interval=measured.interval if measured else None,
        before=before.value if before and each.pair.before.requests else None,
        share=share,
        expected=expected,
        lost=lost,
        z=_z(metric, rest, mine),
    )


def _verdict(metric: Metric, each: Line, *, passed: bool) -> Verdict:
    if each.few:
        return "few requests"
    if not passed or metric.more_is_worse is None:
        return ""
    return "worse" if (each.z > 0) == metric.more_is_worse else "better"


def _sum(every: Iterable[Sums]) -> Sums:
    total = NOTHING
    for each in every:
        total += each
    return total
