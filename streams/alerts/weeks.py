"""The signals of the week: traffic and bad requests that are not usual at this time of it. Pure but for `load`.

Each slot of five minutes is compared with the same slot of the last five weeks (streams/detect/seasonal.py). A week
that is not known in full does not count, nor one in which nobody asked for the placement; of fewer than three, nothing
is said.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from schemas.alerts import AlertState
from schemas.trends import BadCounts, WeekCounts
from streams.alerts.due import read_due
from streams.alerts.measures import MEASURES, Measure
from streams.alerts.model import Signal
from streams.alerts.slot_definitions import SHARES_UNUSUAL, TRAFFIC_UNUSUAL
from streams.alerts.text import percent
from streams.alerts.thresholds import Thresholds
from streams.detect.proportion import Share
from streams.detect.seasonal import count_baseline, share_baseline, unusual

WEEKS: Final = 5


class WeekStore(Protocol):
    """Where the counts come from. Blocks; raises `Unavailable`."""

    def weeks(self, last: int, weeks: int) -> Sequence[WeekCounts]:
        """Of the slot of five minutes that ends with the window `last` (epoch seconds), and of the same slot of so many
        weeks before; only where all of it is known."""
        ...


class Weeks:
    """The source of these signals."""

    def __init__(self, store: WeekStore, thresholds: Thresholds) -> None:
        self._store = store
        self._thresholds = thresholds

    def load(self, first: int, last: int) -> "WeekSignals":
        """As SignalSource says."""
        return WeekSignals(read_due(TRAFFIC_UNUSUAL, first, last, self._read), self._thresholds)

    def _read(self, window: int) -> Sequence[WeekCounts]:
        return self._store.weeks(window, WEEKS)


class WeekSignals:
    """Implements `Signals`. found: by the window at which it is looked at."""

    def __init__(self, found: Mapping[int, Sequence[WeekCounts]], thresholds: Thresholds) -> None:
        self._found = found
        self._thresholds = thresholds

    def at(self, window: int, active: Collection[AlertState]) -> Iterator[Signal]:
        """As Signals says."""
        rows = self._found.get(window, ())
        if not any(row.weeks == 0 for row in rows):
            return
        now = {row.placement: row.counts for row in rows if row.weeks == 0}
        before: dict[str, list[BadCounts]] = defaultdict(list)
        for row in rows:
            if row.weeks and row.counts.requests:
                before[row.placement].append(row.counts)
        for placement, weeks in before.items():
            yield from self._traffic(placement, now.get(placement, _NOBODY), weeks)
            for name, measure in MEASURES.items():
                yield from self._share(placement, name, measure, now.get(placement, _NOBODY), weeks)

    def _traffic(self, placement: str, now: BadCounts, weeks: Sequence[BadCounts]) -> Iterator[Signal]:
        """What may be chance is as good as usual."""
        definition = self._thresholds.of(TRAFFIC_UNUSUAL, placement)
        baseline = count_baseline([week.requests for week in weeks])
        if definition is None or baseline is None:
            return
        found = unusual(now.requests, baseline, relative=0.0)
        value = now.requests if found else max(now.requests, baseline.usual)
        text = {"weeks": str(baseline.weeks)}
        labels = {"placement": placement}
        yield Signal(definition, labels, total=baseline.usual, value=value, baseline=baseline.usual, text=text)

    def _share(
        self, placement: str, name: str, measure: Measure, now: BadCounts, weeks: Sequence[BadCounts]
    ) -> Iterator[Signal]:
        definition = self._thresholds.of(SHARES_UNUSUAL, placement)
        here = _share(measure, now)
        baseline = share_baseline([_share(measure, week) for week in weeks], here.n)
        if definition is None or baseline is None:
            return
        found = unusual(here.value, baseline, least=definition.threshold)
        more = max(here.value - baseline.usual, 0.0) if found else 0.0
        text = {
            "actual": percent(here.value), "usual": percent(baseline.usual), "weeks": str(baseline.weeks),
            "what": measure.says,
        }  # fmt: skip
        labels = {"placement": placement, "metric": name}
        yield Signal(definition, labels, here.part, here.whole, more, baseline.usual, text=text)


_NOBODY: Final = BadCounts(0, 0, 0, 0, 0, 0)


def _share(measure: Measure, counts: BadCounts) -> Share:
    bad, total = measure.counts(counts)
    return Share(bad, total, total)
