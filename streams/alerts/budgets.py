"""The signals of error budgets: how fast each placement spends the bad requests that its objective leaves it.

Bad is a request with no response, an empty one or the fallback. The fast burn is a page and is looked at every minute
over an hour and over six, the slow one is a ticket and is looked at every five minutes over a day and over three.
Pure but for `load`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from schemas.alerts import AlertState
from schemas.parts import WINDOW_S
from schemas.trends import SpentCounts
from streams.alerts.due import read_due
from streams.alerts.model import Definition, Signal
from streams.alerts.slot_definitions import BUDGET_BURN, BUDGET_BURN_SLOW
from streams.alerts.text import percent
from streams.alerts.thresholds import Thresholds
from streams.detect.burn import HOUR, PERIOD_S, WORKBOOK, BurnWindow, Counts, burning

FAST: Final = tuple(window for window in WORKBOOK if window.severity == "page")
LEAST: Final = 0.5  # of a span must be known: not of the first minutes, nor after days without rectrace
SLOW: Final = tuple(window for window in WORKBOOK if window.severity == "ticket")


class BudgetStore(Protocol):
    """Where the counts come from. Blocks; raises `Unavailable`."""

    def spent(self, last: int, spans: Sequence[int]) -> Sequence[SpentCounts]:
        """By placement, over the so many seconds that end with the window `last` (epoch seconds)."""
        ...


class Budgets:
    """The source of these signals."""

    def __init__(self, store: BudgetStore, thresholds: Thresholds) -> None:
        self._store = store
        self._thresholds = thresholds

    def load(self, first: int, last: int) -> "BudgetSignals":
        """As SignalSource says. The windows of the slow burn are windows of the fast one, too."""
        return BudgetSignals(read_due(BUDGET_BURN, first, last, self._read), self._thresholds)

    def _read(self, window: int) -> Sequence[SpentCounts]:
        return self._store.spent(window, spans(window))


class BudgetSignals:
    """Implements `Signals`. spent: by the window at which it is looked at, over its `spans`."""

    def __init__(self, spent: Mapping[int, Sequence[SpentCounts]], thresholds: Thresholds) -> None:
        self._spent = spent
        self._thresholds = thresholds

    def at(self, window: int, active: Collection[AlertState]) -> Iterator[Signal]:
        """As Signals says."""
        for each in self._spent.get(window, ()):
            for definition, windows in _judged(window):
                here = self._thresholds.of(definition, each.placement)
                if here is not None:
                    yield _signal(here, each, _counts(each, window), windows)


def spans(window: int) -> list[int]:
    """What is looked at in a window that is due, in seconds, ascending."""
    windows = [each for _, listed in _judged(window) for each in listed]
    return sorted({length for each in windows for length in (each.long_s, each.short_s)})


def _judged(window: int) -> Iterator[tuple[Definition, Sequence[BurnWindow]]]:
    yield BUDGET_BURN, FAST
    if BUDGET_BURN_SLOW.due(window):
        yield BUDGET_BURN_SLOW, SLOW


def _counts(spent: SpentCounts, window: int) -> dict[int, Counts]:
    """By span, those that are known well enough."""
    listed = zip(spans(window), spent.known, spent.bad, spent.total, strict=True)
    return {span: Counts(bad, total) for span, known, bad, total in listed if known * WINDOW_S >= LEAST * span}


def _signal(
    definition: Definition, spent: SpentCounts, known: Mapping[int, Counts], windows: Sequence[BurnWindow]
) -> Signal:
    labels = {"placement": spent.placement}
    objective = definition.objective or 0.0
    found = burning(known, objective, windows, min_bad=definition.threshold)
    if not found:
        return Signal(definition, labels, total=spent.total[0])
    long_s, rate = found[0].window.long_s, found[0].long_rate
    bad, total = known[long_s]
    text = {
        "rate": f"{rate:.3g}", "span": _length(long_s), "objective": f"{100 * objective:.6g}%",
        "share": percent(bad / total), "left": _length(PERIOD_S / rate),
    }  # fmt: skip
    return Signal(definition, labels, bad, total, rate, text=text)


def _length(seconds: float) -> str:
    return f"{seconds / HOUR:.3g} h" if seconds <= 48 * HOUR else f"{seconds / HOUR / 24:.3g} days"
