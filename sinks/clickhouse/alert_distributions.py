"""The distributions that alerts are judged by: scores, reasons to drop, users of experiments."""

from collections.abc import Sequence

from schemas.distributions import ArmUsers, Drops, Scores, SpreadCounts
from sinks.clickhouse.alert_counts import Ask
from sinks.clickhouse.rows import when


class DistributionReader:
    """The ports `streams.alerts.distributions.DistributionStore` and `streams.alerts.experiments.UserStore`, through
    `ask`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def spreads(self, first: int, last: int) -> list[SpreadCounts]:
        return [SpreadCounts(*row) for row in self._ask("alert_spreads", first=when(first), last=when(last))]

    def scores(self, first: int, last: int) -> list[Scores]:
        return [Scores(*row) for row in self._ask("alert_scores", first=when(first), last=when(last))]

    def drops(self, first: int, last: int) -> list[Drops]:
        return [Drops(*row) for row in self._ask("alert_drops", first=when(first), last=when(last))]

    def users(self, first: int, last: int, experiments: Sequence[str]) -> list[ArmUsers]:
        rows = self._ask("alert_arms", first=when(first), last=when(last), experiments=list(experiments))
        return [ArmUsers(*row) for row in rows]
