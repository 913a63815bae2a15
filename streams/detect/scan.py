"""The segment scan: which of thousands of segments are worse than the rest, without crying wolf.

Every five minutes each segment with enough traffic is compared with all other requests, one-sided, less what the two
usually differ by. Benjamini and Hochberg's procedure (1995) bounds the share of false discoveries by q however many
segments there are; an effect floor keeps out what is real but small, and what is worse than the rest only because that
got better; three hits in a row keep out what passes. Reported
by lost good events, and of nested segments the one that says it best.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from streams.detect.proportion import Share
from streams.detect.tails import normal_tail

Key = frozenset[str]  # name=value of each dimension: {"placement=home", "country=DE"} is in {"country=DE"}
ALL: Final[Key] = frozenset()
Named = TypeVar("Named")
NEGLIGIBLE: Final = 0.2  # what a parent may lose without the child that explains it


class Cell(NamedTuple):
    """Bad requests of all, now; and over a usual time, of which there may be none."""

    bad: float
    total: float
    usual_bad: float = 0.0
    usual_total: float = 0.0


@dataclass(frozen=True)
class ScanPolicy:
    """q: share of false discoveries. least: how much higher the share of bad ones must be. in_a_row: hits."""

    q: float = 0.01
    min_requests: float = 100
    least: float = 0.01
    in_a_row: int = 3


class Hit(NamedTuple):
    """A segment that is worse. expected: the share of bad ones it would have, were it like the rest, less what they
    usually differ by; lost: (actual - expected) x requests, good events lost."""

    key: Key
    actual: float
    expected: float
    requests: float
    z: float
    lost: float


@dataclass
class Scanner:
    """Scans one after the other: `streaks` is all its state, for how many scans each segment has been a hit."""

    policy: ScanPolicy = field(default_factory=ScanPolicy)
    streaks: dict[Key, int] = field(default_factory=dict)

    def add(self, cells: Mapping[Key, Cell]) -> list[Hit]:
        """One more scan; `cells` has ALL, too. What has been a hit often enough, most lost first, rolled up."""
        hits = scan(cells, self.policy)
        self.streaks = {hit.key: self.streaks.get(hit.key, 0) + 1 for hit in hits}
        lasting = [hit for hit in hits if self.streaks[hit.key] >= self.policy.in_a_row]
        return roll_up(lasting, cells, self.policy)


def scan(cells: Mapping[Key, Cell], policy: ScanPolicy) -> list[Hit]:
    """Segments that are worse than the rest, of one scan, most lost first. Empty without a cell of ALL."""
    everything = cells.get(ALL)
    if everything is None:
        return []
    compared = [
        _compare(key, cell, _without(everything, cell))
        for key, cell in cells.items()
        if key != ALL and cell.total >= policy.min_requests and everything.total - cell.total >= policy.min_requests
    ]
    found = benjamini_hochberg({hit.key: normal_tail(hit.z) for hit in compared}, policy.q)
    return _most_lost(hit for hit in compared if hit.key in found and _matters(hit, cells[hit.key], policy))


def _matters(hit: Hit, cell: Cell, policy: ScanPolicy) -> bool:
    """Where the rest got better a segment is worse than it, and nothing is wrong: it must be worse than it was, too."""
    usual = cell.usual_bad / cell.usual_total if cell.usual_total > 0 else 0.0
    return hit.actual - max(hit.expected, usual) >= policy.least


def benjamini_hochberg(p_values: Mapping[Named, float], q: float) -> set[Named]:
    """Those with the k lowest p-values, for the largest k whose k-th p is at most k q / m."""
    ordered = sorted(p_values.items(), key=lambda each: each[1])
    passing = [k for k, (_, p) in enumerate(ordered, 1) if p <= k * q / len(ordered)]
    return {key for key, _ in ordered[: max(passing, default=0)]}


def roll_up(hits: Iterable[Hit], cells: Mapping[Key, Cell], policy: ScanPolicy) -> list[Hit]:
    """Of segments that overlap one: a child where its parent is no worse without it, else the parent.

    {placement=home} is bad because {placement=home, country=DE} is: the child is told, and not {placement=home,
    device=ios}, which only has some of its requests. All children are bad: the parent is told, once.
    """
    held = _most_lost(hits)
    chosen: set[Key] = set()
    dropped: set[Key] = set()
    for parent in held:
        children = [each for each in held if each.key > parent.key]
        left = {each.key: _lost_without(each, parent, cells, policy) for each in children}
        explaining = [child for child, lost in left.items() if lost is not None and lost < NEGLIGIBLE * parent.lost]
        if explaining:
            best = min(explaining, key=lambda child: (child not in chosen, left[child] or 0.0, sorted(child)))
            chosen.add(best)
            dropped |= {parent.key, *(each.key for each in children)}
    told = [hit for hit in held if hit.key not in dropped - chosen]
    return [hit for hit in told if not any(other.key < hit.key for other in told)]


def _lost_without(child: Hit, parent: Hit, cells: Mapping[Key, Cell], policy: ScanPolicy) -> float | None:
    """What the parent would have lost without the child; None where that is too little traffic to tell."""
    left = _without(cells[parent.key], cells[child.key])
    if left.total < policy.min_requests:
        return None
    rest = _compare(parent.key, left, _without(cells[ALL], cells[parent.key]))
    return max(rest.lost, 0.0)


def _compare(key: Key, cell: Cell, rest: Cell) -> Hit:
    mine, others = Share(cell.bad, cell.total, cell.total), Share(rest.bad, rest.total, rest.total)
    differ, variance = 0.0, mine.variance + others.variance
    if cell.usual_total > 0 and rest.usual_total > 0:
        usual = Share(cell.usual_bad, cell.usual_total, cell.usual_total)
        usual_rest = Share(rest.usual_bad, rest.usual_total, rest.usual_total)
        differ = usual.value - usual_rest.value
        variance += usual.variance + usual_rest.variance
    expected = min(max(others.value + differ, 0.0), 1.0)
    worse = mine.value - expected
    z = worse / math.sqrt(variance) if variance > 0 else 0.0
    return Hit(key, mine.value, expected, cell.total, z, worse * cell.total)


def _without(cell: Cell, part: Cell) -> Cell:
    return Cell(*(max(whole - mine, 0.0) for whole, mine in zip(cell, part, strict=True)))


def _most_lost(hits: Iterable[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.lost, sorted(hit.key)))
