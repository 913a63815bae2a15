"""What alerts are judged by, window by window. What has been read of a run is kept: it never changes, and the history
that a window is compared with is sixty times as much as what is new."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final

from schemas.alerts import AlertCounts, Latency, LetterCounts, PlacementCounts, PressureCounts, SlotCounts, StageCounts
from sinks.clickhouse.rows import when

Ask = Callable[..., Sequence[Sequence[Any]]]  # a query of queries/ by name, with parameters
_KINDS: Final = {
    "alert_placements": PlacementCounts,
    "alert_stages": StageCounts,
    "alert_latencies": Latency,
    "alert_letters": LetterCounts,
    "alert_pressures": PressureCounts,
    "alert_rule_slots": SlotCounts,
}
Kept = dict[str, list[Any]]  # rows by query


class CountReader:
    """Reads what is not known yet, and what has been sealed again since."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._kept: dict[int, tuple[int, Kept]] = {}  # by window: the run, and its rows

    def read(self, first: int, last: int) -> AlertCounts:
        """Of the windows from first to last, both inside (epoch seconds)."""
        period = {"first": when(first), "last": when(last)}
        runs = {int(window): int(run) for window, run in self._ask("alert_complete", **period)}
        self._kept = {window: kept for window, kept in self._kept.items() if runs.get(window) == kept[0]}
        fresh = [window for window in runs if window not in self._kept]
        if fresh:
            self._fetch(fresh, runs)
        known = [self._kept[window][1] for window in runs]
        return AlertCounts(list(runs), *(_all(known, query) for query in _KINDS))

    def _fetch(self, windows: Sequence[int], runs: dict[int, int]) -> None:
        wanted: dict[int, Kept] = {window: {query: [] for query in _KINDS} for window in windows}
        for query, make in _KINDS.items():
            for row in self._ask(query, first=when(windows[0]), last=when(windows[-1])):
                if row[0] in wanted:
                    wanted[row[0]][query].append(make(*row))
        self._kept |= {window: (runs[window], rows) for window, rows in wanted.items()}


def _all(known: Iterable[Kept], query: str) -> list[Any]:
    return list(chain.from_iterable(rows[query] for rows in known))
