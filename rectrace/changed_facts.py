"""From rows of sinks/clickhouse/changes.py to the numbers that are compared: pure."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, NamedTuple

from rectrace.changed_metrics import P95, Metric, share_above
from streams.detect.adtributor import Change, Explanation, RatioChange, explain, explain_ratio
from streams.detect.proportion import Interval, Share, count_difference, difference, mean_difference, wilson

Row = Mapping[str, Any]
NONE: Final = "(none)"  # requests that say nothing of a segment
MIN_Z: Final = 3.0  # one metric is asked about, not hundreds
NEW_Z: Final = 4.0  # of versions and arms there are many
LEAST: Final = {"count": 0.1, "share": 0.1, "mean": 0.02, "latency": 0.1}  # relative changes that matter
LEAST_SHARE: Final = 0.002  # and of a share, absolutely
MIN_LIFT: Final = 1.3  # below, elements explain little more than what they are of the traffic
RARE: Final = 0.005  # a version below this share of its component's events is as good as not there
ROLLING: Final = 0.2  # and one that has grown to five times its share is being rolled out


class Sums(NamedTuple):
    """part and whole of a metric, and the requests behind them."""

    part: float
    whole: float
    requests: float

    def __add__(self, other: tuple[Any, ...]) -> "Sums":
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(*(a - b for a, b in zip(self, other, strict=True)))

    @property
    def share(self) -> Share:
        """Requests are the independent trials. Of what one request has many of (slots, candidates) they count four
        times: as if the intraclass correlation were 1/4, which is more than that of candidates usually is."""
        return Share(self.part, self.whole, self.requests * (4 if self.whole > self.requests else 1))


NOTHING: Final = Sums(0.0, 0.0, 0.0)


class Pair(NamedTuple):
    """Before and now."""

    before: Sums = NOTHING
    now: Sums = NOTHING


@dataclass(frozen=True)
class Amount:
    """A metric over one period: its value, what it was counted from, and the 95 % interval where there is one."""

    value: float
    part: float
    whole: float
    interval: Interval | None


@dataclass(frozen=True)
class Slice:
    """One element of what explains the change. ep: the share of the change it explains."""

    element: str
    ep: float
    requests: float
    before: float
    now: float


@dataclass(frozen=True)
class Cause:
    """A dimension and its elements that explain the change. lift: how much more than their share of the traffic."""

    dimension: str
    slices: tuple[Slice, ...]
    ep: float
    lift: float

    @property
    def names(self) -> str:
        """country=DE, or country=DE, FR."""
        return f"{self.dimension}={', '.join(each.element for each in self.slices)}"


@dataclass(frozen=True)
class Novelty:
    """A version, an arm or a segment's value that appeared or vanished, or nearly so, with its share before and now.
    within: the segment or arm whose requests alone have it, if there is one."""

    name: str
    component: str  # of a version; else empty
    before: float
    now: float
    within: str = ""

    @property
    def appeared(self) -> bool:
        """Or grew; else it vanished or shrank."""
        return self.now > self.before

    @property
    def wholly(self) -> bool:
        """Whether it was not there, or is not."""
        return min(self.before, self.now) <= RARE


def pairs(rows: Sequence[Row], metric: Metric, slow_ms: float) -> dict[str, Pair]:
    """By element. slow_ms: above it a request is slow, for the latency metric."""
    found: dict[str, list[Sums]] = defaultdict(lambda: [NOTHING, NOTHING])
    for row in rows:
        told = dict(row)
        if metric.kind == "latency":
            told["slow"] = share_above(row["latency"], slow_ms) * row["responded"] if row["responded"] else 0.0
        requests = float(row.get("requests", 0.0))
        found[row["element"]][row["is_now"]] += Sums(metric.part(told), float(told[metric.whole]), requests)
    return {element: Pair(*both) for element, both in found.items()}


def with_requests(chosen: Mapping[str, Pair], requests: Mapping[str, Pair]) -> dict[str, Pair]:
    """Sums of candidates with the requests behind them, from sums of requests by the same elements."""
    return {
        element: Pair(
            *(
                mine._replace(requests=theirs.requests)
                for mine, theirs in zip(pair, requests.get(element, Pair()), strict=True)
            )
        )
        for element, pair in chosen.items()
    }


def slow_limit(rows: Sequence[Row]) -> float:
    """The p95 before, of the total's row, in ms; infinite where there was nothing."""
    return next((p95(row) for row in rows if row["element"] == "" and not row["is_now"] and row["responded"]), math.inf)


def p95(row: Row) -> float:
    """Of one row, in ms."""
    return float(row["latency"][P95])


def amount(metric: Metric, sums: Sums) -> Amount:
    """The value of a metric; of a latency, what is not its p95 but the share of slow requests."""
    if metric.kind == "count":
        half = 1.96 * math.sqrt(sums.part)
        return Amount(sums.part, sums.part, sums.whole, Interval(max(sums.part - half, 0.0), sums.part + half))
    value = sums.part / sums.whole if sums.whole else 0.0
    interval = _wilson(sums.share) if metric.kind != "mean" else None
    return Amount(value, sums.part, sums.whole, interval)


def _wilson(share: Share) -> Interval:
    return wilson(min(share.value, 1.0) * share.n, share.n)


def changed(metric: Metric, total: Pair) -> bool:
    """Whether it changed by more than chance and by more than matters."""
    before, now = total
    if not (before.requests and now.requests):
        return False
    if metric.kind == "count":
        z, was, is_now = count_difference(before.part, now.part), before.part, now.part
    elif metric.kind == "mean":
        z, was, is_now = mean_difference(before.share, now.share, 0.5), before.share.value, now.share.value
    else:
        z, was, is_now = difference(before.share, now.share), before.share.value, now.share.value
    apart = abs(is_now - was)
    enough = apart >= LEAST_SHARE or metric.kind in ("count", "mean")
    return abs(z) >= MIN_Z and enough and apart >= LEAST[metric.kind] * min(was, is_now)


def causes(metric: Metric, segments: Mapping[str, Pair], placements: Mapping[str, Pair]) -> list[Cause]:
    """Dimensions whose few elements explain the change, and more than all alike would; most surprising first."""
    total = segments.get("", Pair())
    dimensions = _dimensions(segments, total) | ({"placement": dict(placements)} if len(placements) > 1 else {})
    if metric.kind == "count":
        found = explain({name: _counts(elements) for name, elements in dimensions.items()})
    else:
        found = explain_ratio({name: _ratios(elements) for name, elements in dimensions.items()})
    return [_cause(each, dimensions[each.dimension]) for each in found if _stands_out(metric, each, dimensions, total)]


def novelties(segments: Mapping[str, Pair], stages: Sequence[Row]) -> list[Novelty]:
    """Versions, then arms and segment values, that appeared or vanished."""
    versions: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in stages:
        if row["version"]:
            versions[row["component"], row["version"]][row["is_now"]] += row["events"]
    of_component: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (component, _), counts in versions.items():
        of_component[component] = [a + b for a, b in zip(of_component[component], counts, strict=True)]
    found = [
        _novelty(name, component, counts, of_component[component]) for (component, name), counts in versions.items()
    ]
    total = segments.get("", Pair())
    wholes = [total.before.requests, total.now.requests]
    for element, pair in segments.items():
        if element and not element.endswith("=other"):
            found.append(_novelty(element, "", [pair.before.requests, pair.now.requests], wholes))
    known = [each for each in found if each]
    return sorted(
        known, key=lambda each: (not each.component, not each.appeared, -max(each.now, each.before), each.name)
    )


def within(rows: Sequence[Row]) -> str:
    """The segment or arm that has nearly all affected requests, and is itself nearly all affected; else empty."""
    total = next((row for row in rows if row["element"] == ""), None)
    if not total or not total["affected"] or total["affected"] > 0.9 * total["requests"]:
        return ""
    rest = [
        row
        for row in rows
        if row["element"] and row["affected"] >= 0.9 * total["affected"] and row["affected"] >= 0.5 * row["requests"]
    ]
    return max(rest, key=lambda row: row["affected"] / row["requests"])["element"] if rest else ""


def _dimensions(segments: Mapping[str, Pair], total: Pair) -> dict[str, dict[str, Pair]]:
    """name=value by name; what requests say nothing of is an element, too."""
    found: dict[str, dict[str, Pair]] = defaultdict(dict)
    for element, pair in segments.items():
        if element:
            name, _, value = element.partition("=")
            found[name][value] = pair
    for elements in found.values():
        rest = Pair(*(whole - sum(parts, NOTHING) for whole, *parts in zip(total, *elements.values(), strict=True)))
        if max(rest.before.requests, rest.now.requests) >= 1:
            elements[NONE] = rest
    return dict(found)


def _counts(elements: Mapping[str, Pair]) -> dict[str, Change]:
    return {name: Change(pair.before.part, pair.now.part) for name, pair in elements.items()}


def _ratios(elements: Mapping[str, Pair]) -> dict[str, RatioChange]:
    return {
        name: RatioChange(Change(pair.before.part, pair.now.part), Change(pair.before.whole, pair.now.whole))
        for name, pair in elements.items()
    }


def _stands_out(metric: Metric, found: Explanation, dimensions: Mapping[str, Mapping[str, Pair]], total: Pair) -> bool:
    """Whether they changed otherwise than the rest, by more than chance: an even change has its elements, too."""
    if found.lift < MIN_LIFT:
        return False
    ways = len(dimensions) * math.comb(len(dimensions[found.dimension]), len(found.elements))
    least_z = -NormalDist().inv_cdf(NormalDist().cdf(-MIN_Z) / ways)  # Bonferroni: these were chosen, after looking
    taken = [dimensions[found.dimension][each.name] for each in found.elements]
    mine = Pair(*(sum(side, NOTHING) for side in zip(*taken, strict=True)))
    if metric.kind == "count":
        shares = [Share(part.part, whole.part, whole.part) for part, whole in zip(mine, total, strict=True)]
        return abs(difference(*shares)) >= least_z
    rest = Pair(total.before - mine.before, total.now - mine.now)
    if min(rest.before.requests, rest.now.requests, mine.before.requests, mine.now.requests) <= 0:
        return True
    scale = max(total.before.share.value, total.now.share.value, 1.0)  # a mean as a share of its largest
    sides = [Share(each.part / scale, each.whole, each.requests) for each in (*mine, *rest)]
    moved = (sides[1].value - sides[0].value) - (sides[3].value - sides[2].value)
    return abs(moved) >= least_z * math.sqrt(sum(side.variance for side in sides))


def _cause(found: Explanation, elements: Mapping[str, Pair]) -> Cause:
    slices = tuple(
        Slice(each.name, each.ep, pair.now.requests, pair.before.share.value, pair.now.share.value)
        for each in found.elements
        for pair in (elements[each.name],)
    )
    return Cause(found.dimension, slices, found.ep, found.lift)


def _novelty(name: str, component: str, counts: Sequence[float], wholes: Sequence[float]) -> Novelty | None:
    if not all(wholes):
        return None
    before, now = (Share(count, whole, whole) for count, whole in zip(counts, wholes, strict=True))
    if min(before.value, now.value) > ROLLING * max(before.value, now.value) or abs(difference(before, now)) < NEW_Z:
        return None
    return Novelty(name, component, before.value, now.value)
