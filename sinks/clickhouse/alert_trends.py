"""What alerts are judged by that look at more than ten minutes: error budgets, segments, components, weeks."""

from collections.abc import Sequence
from typing import Final

from schemas.parts import WINDOW_S
from schemas.trends import SLOT_S, BadCounts, ComponentCounts, SegmentCounts, SpentCounts, WeekCounts
from sinks.clickhouse.alert_counts import Ask
from sinks.clickhouse.rows import when

WEEK_S: Final = 7 * 86_400


class TrendReader:
    """The ports `BudgetStore`, `SegmentStore`, `ComponentStore` and `WeekStore` of streams/alerts (budgets, segments,
    components, weeks), through `ask`."""

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

    def components(self, since: int, usual_until: int, first: int, last: int) -> list[ComponentCounts]:
        times = {"since": since, "usual_until": usual_until, "first": first, "last": last}
        rows = self._ask("alert_components", **{name: when(at) for name, at in times.items()})
        return [ComponentCounts(*row) for row in rows]

    def weeks(self, last: int, weeks: int) -> list[WeekCounts]:
        slot = range(last + WINDOW_S - SLOT_S, last + 1, WINDOW_S)
        windows = [when(window - back * WEEK_S) for back in range(weeks + 1) for window in slot]
        rows = self._ask("alert_weeks", last=when(last), windows=windows, size=len(slot))
        return [WeekCounts(back, placement, BadCounts(*counts)) for back, placement, *counts in rows]
