"""The signals of components that go wrong in a small share of their calls: less than pages, and more than was usual.

A page needs many: a source that finds nothing for one country, or a model that gives one score to those with an old
app, is a few per cent of all. Looked at every five minutes: each component's share in the slot, compared with the six
hours before the first of the slots that are needed, of which at least one must be known. Pure but for `load`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from schemas.alerts import AlertState
from schemas.parts import WINDOW_S
from schemas.trends import SLOT_S, ComponentCounts
from streams.alerts.due import read_due
from streams.alerts.model import Definition, Signal
from streams.alerts.segments import LEAST_USUAL_S, USUAL_S, first_slot
from streams.alerts.slot_definitions import COMPONENT_WORSE
from streams.alerts.text import percent
from streams.alerts.thresholds import Thresholds
from streams.detect.proportion import Share, likelihood

CHANCE: Final = 3.0  # standard errors, in each of the slots


class _Wrong(NamedTuple):
    """What can be wrong with a call. says: of a component, by how many of its calls."""

    says: str
    bad: str  # of ComponentCounts
    of: str
    stages: Collection[str] = ()  # empty: all


# By what `Definition.examples` calls it.
_KINDS: Final[Mapping[str, _Wrong]] = {
    "failed": _Wrong("times out or fails", "failed", "calls"),
    "zero_out": _Wrong("finds nothing", "zero_out", "calls", ("retrieval",)),
    "degenerate": _Wrong("gives all candidates the same score or none", "degenerate", "scored", ("scoring",)),
}


class ComponentStore(Protocol):
    """Where the counts come from. Blocks; raises `Unavailable`."""

    def components(self, since: int, usual_until: int, first: int, last: int) -> Sequence[ComponentCounts]:
        """From `since` until before `usual_until` as the usual time, and from first to last, inside, as the slot;
        windows in epoch seconds."""
        ...


class Components:
    """The source of these signals."""

    def __init__(self, store: ComponentStore, thresholds: Thresholds) -> None:
        self._store = store
        self._thresholds = thresholds

    def load(self, first: int, last: int) -> "ComponentSignals":
        """As SignalSource says."""
        return ComponentSignals(read_due(COMPONENT_WORSE, first, last, self._read), self._thresholds)

    def _read(self, window: int) -> Sequence[ComponentCounts]:
        begin = first_slot(COMPONENT_WORSE, window)
        return self._store.components(begin - USUAL_S, begin, window + WINDOW_S - SLOT_S, window)


class ComponentSignals:
    """Implements `Signals`. found: by the window at which it is looked at."""

    def __init__(self, found: Mapping[int, Sequence[ComponentCounts]], thresholds: Thresholds) -> None:
        self._found = found
        self._thresholds = thresholds

    def at(self, window: int, active: Collection[AlertState]) -> Iterator[Signal]:
        """As Signals says."""
        rows = self._found.get(window, ())
        usual = {_place(row): row for row in rows if row.time == 0}
        known = min((row.since for row in usual.values()), default=window)
        if known > first_slot(COMPONENT_WORSE, window) - LEAST_USUAL_S:
            return
        for row in rows:
            before = usual.get(_place(row))
            definition = self._thresholds.of(COMPONENT_WORSE, row.placement, row.component)
            if row.time and before and definition:
                yield from _signals(definition, row, before)


def _signals(definition: Definition, row: ComponentCounts, before: ComponentCounts) -> Iterator[Signal]:
    """What may be chance is as good as usual."""
    for kind, wrong in _KINDS.items():
        now, usual = _share(wrong, row), _share(wrong, before)
        if (wrong.stages and row.stage not in wrong.stages) or not usual.n:
            continue
        more = max(now.value - usual.value, 0.0) if likelihood(usual, now) >= CHANCE else 0.0
        labels = {"placement": row.placement, "stage": row.stage, "component": row.component, "metric": kind}
        text = {"what": wrong.says, "actual": percent(now.value), "usual": percent(usual.value)}
        yield Signal(replace(definition, examples=kind), labels, now.part, now.whole, more, usual.value, text=text)


def _share(wrong: _Wrong, row: ComponentCounts) -> Share:
    total = getattr(row, wrong.of)
    return Share(getattr(row, wrong.bad), total, total)


def _place(row: ComponentCounts) -> tuple[str, str, str]:
    return row.placement, row.stage, row.component
