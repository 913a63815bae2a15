"""The signals of distributions: scores that say nothing, scores that drift, other reasons to drop. Pure but for `load`.

Scores that say nothing are judged window by window, as shares are. The rest compares the last half hour with the day
before it, or with what there is of it, at least an hour: once in five minutes, because more often says nothing new.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from schemas.alerts import AlertState
from schemas.distributions import Drops, Scores, SpreadCounts
from schemas.parts import WINDOW_S
from streams.alerts.distribution_definitions import REASON_MIX_SHIFT, SCORE_DRIFT, SCORES_DEGENERATE
from streams.alerts.due import read_due
from streams.alerts.model import Signal
from streams.alerts.signals import SPAN, pooled
from streams.alerts.text import percent
from streams.alerts.thresholds import Thresholds
from streams.detect import mix
from streams.detect.drift import drift
from streams.detect.histogram import binned, edges

NOW_S: Final = 1_800
BEFORE_S: Final = 86_400
LEAST_BEFORE_S: Final = 3_600
NEW_VERSION: Final = 0.1  # more of the requests by so much


class DistributionStore(Protocol):
    """Where they come from. Windows in epoch seconds, from first to last, both inside. Blocks; raises `Unavailable`."""

    def spreads(self, first: int, last: int) -> Sequence[SpreadCounts]:
        """By window."""
        ...

    def scores(self, first: int, last: int) -> Sequence[Scores]:
        """Over all of the windows."""
        ...

    def drops(self, first: int, last: int) -> Sequence[Drops]:
        """Over all of the windows."""
        ...


class Compared(NamedTuple):
    """What is compared at one window: the half hour that ends with it, and the time before that."""

    split: int  # the first window of the half hour
    scores: tuple[Sequence[Scores], Sequence[Scores]]  # before, now
    drops: tuple[Sequence[Drops], Sequence[Drops]]


class Distributions:
    """The source of these signals."""

    def __init__(self, store: DistributionStore, thresholds: Thresholds) -> None:
        self._store = store
        self._thresholds = thresholds

    def load(self, first: int, last: int) -> "DistributionSignals":
        """As SignalSource says."""
        spreads = self._store.spreads(first - (SPAN - 1) * WINDOW_S, last)
        return DistributionSignals(spreads, read_due(SCORE_DRIFT, first, last, self._compare), self._thresholds)

    def _compare(self, window: int) -> Compared:
        split = window + WINDOW_S - NOW_S
        before, now = (split - BEFORE_S, split - WINDOW_S), (split, window)
        return Compared(
            split,
            (self._store.scores(*before), self._store.scores(*now)),
            (self._store.drops(*before), self._store.drops(*now)),
        )


class DistributionSignals:
    """Implements `Signals`."""

    def __init__(
        self, spreads: Iterable[SpreadCounts], compared: Mapping[int, Compared], thresholds: Thresholds
    ) -> None:
        self._thresholds = thresholds
        self._compared = compared
        self._spreads: dict[tuple[str, str], dict[int, SpreadCounts]] = defaultdict(dict)
        for each in spreads:
            self._spreads[each.placement, each.component][each.window] = each

    def at(self, window: int, active: Collection[AlertState]) -> Iterator[Signal]:
        """As Signals says. What is good again is judged good as long as requests come."""
        yield from self._degenerate(window)
        if compared := self._compared.get(window):
            yield from self._drifts(compared)
            yield from self._mixes(compared)

    def _degenerate(self, window: int) -> Iterator[Signal]:
        recent = range(window - (SPAN - 1) * WINDOW_S, window + 1, WINDOW_S)
        for (placement, component), rows in self._spreads.items():
            definition = self._thresholds.of(SCORES_DEGENERATE, placement, component)
            if definition is None or window not in rows:
                continue
            constant, total = pooled(rows, recent, _constant, definition.min_total)
            missing, _ = pooled(rows, recent, _missing, definition.min_total)
            text = {"constant": f"{constant:,.0f}", "missing": f"{missing:,.0f}"}
            yield Signal(definition, _labels(placement, "scoring", component), constant + missing, total, text=text)

    def _drifts(self, compared: Compared) -> Iterator[Signal]:
        known = {(each.placement, each.component): each for each in compared.scores[0]}
        for now in compared.scores[1]:
            before = known.get((now.placement, now.component))
            definition = self._thresholds.of(SCORE_DRIFT, now.placement, now.component)
            if definition is None or before is None or not (_enough(before.since, compared) and before.scored):
                continue
            inner = edges(before.buckets)
            n, m = before.requests, now.requests
            found = drift(binned(before.buckets, inner), binned(now.buckets, inner), n, m, least=definition.threshold)
            text = {
                "value": f"{found.psi:.2f}", "threshold": f"{found.threshold:.2f}", "version": _version(before, now),
                "mean_before": f"{before.mean:.3g}", "mean": f"{now.mean:.3g}", **_requests(n, m),
            }  # fmt: skip
            labels = _labels(now.placement, "scoring", now.component)
            here = replace(definition, threshold=found.threshold)
            yield Signal(here, labels, total=min(n, m), value=found.psi, text=text)

    def _mixes(self, compared: Compared) -> Iterator[Signal]:
        known = {(each.placement, each.stage, each.component): each for each in compared.drops[0]}
        for now in compared.drops[1]:
            before = known.get((now.placement, now.stage, now.component))
            definition = self._thresholds.of(REASON_MIX_SHIFT, now.placement, now.component)
            if definition is None or before is None or not _enough(before.since, compared):
                continue
            # who drops for several reasons is counted at least by the most frequent one
            n, m = max(before.events.values(), default=0), max(now.events.values(), default=0)
            kinds = mix.moves(before.reasons, now.reasons, n, m, min_z=0, min_move=0)
            if not kinds:
                continue
            grown = max(kinds, key=lambda each: (each.now - each.before, each.kind))
            bits = mix.divergence(before.reasons, now.reasons)
            limit = mix.threshold(len(kinds), n, m, least=definition.threshold)
            text = {
                "reason": grown.kind or "(no reason)", "share_before": percent(grown.before),
                "share_now": percent(grown.now), "value": f"{bits:.3f}", "threshold": f"{limit:.3f}", **_requests(n, m),
            }  # fmt: skip
            labels = _labels(now.placement, now.stage, now.component)
            yield Signal(replace(definition, threshold=limit), labels, total=min(n, m), value=bits, text=text)


def _enough(since: int, compared: Compared) -> bool:
    return compared.split - since >= LEAST_BEFORE_S


def _labels(placement: str, stage: str, component: str) -> dict[str, str]:
    return {"placement": placement, "stage": stage, "component": component}


def _requests(before: int, now: int) -> dict[str, str]:
    return {"before": f"{before:,}", "now": f"{now:,} requests"}


def _constant(row: SpreadCounts) -> tuple[float, float]:
    return row.constant, row.requests


def _missing(row: SpreadCounts) -> tuple[float, float]:
    return row.missing, row.requests


def _version(before: Scores, now: Scores) -> str:
    """Which versions answer more of the requests than before, in words."""
    rows = []
    for name, count in now.versions.items():
        share, was = count / now.requests, before.versions.get(name, 0) / before.requests
        if name and share - was >= NEW_VERSION:
            rows.append(
                (was - share, f"; version {name} answers {percent(share)} of the requests, before {percent(was)}")
            )
    return "".join(text for _, text in sorted(rows)) or "; no version of it is new"
