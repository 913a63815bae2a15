"""What alerts are judged by that look at more than ten minutes: error budgets, segments."""

from collections.abc import Sequence
from typing import Final

from schemas.parts import WINDOW_MS
from schemas.trends import BadCounts, SegmentCounts, SpentCounts
from sinks.clickhouse.alert_counts import Ask
from sinks.clickhouse.rows import when

WINDOW_S: Final = WINDOW_MS // 1000
SLOT_S: Final = 300


class TrendReader:
    """The ports `streams.alerts.budgets.BudgetStore` and `streams.alerts.segments.SegmentStore`, through `ask`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def spent(self, last: int, spans: Sequence[int]) -> list[SpentCounts]:
        first = when(last + WINDOW_S - max(spans))
        rows = self._ask("alert_budgets", first=first, last=when(last), spans=list(spans))
        return [SpentCounts(*row) for row in rows]

    def segments(self, since: int, first: int, last: int) -> list[SegmentCounts]:
        times = {"since": when(since), "first": when(first), "last": when(last)}
        rows = self._ask("alert_segments", **times, slot=SLOT_S)
        return [
            SegmentCounts(placement, segment, number, since, BadCounts(*counts))
            for placement, segment, number, since, *counts in rows
        ]
