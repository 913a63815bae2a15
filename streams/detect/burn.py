"""Burn rates: how fast an error budget is spent.

Multiwindow, multi-burn-rate alerts of the Google SRE workbook, chapter 5 ("Alerting on SLOs", recommendation 6): both a
long window, so that it matters, and a short one, so that it is over when it is over.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

HOUR: Final = 3_600
PERIOD_S: Final = 30 * 24 * HOUR  # of the budget in the workbook's table
MIN_BAD: Final = 10  # in the short window: below, a rate is an anecdote


class Counts(NamedTuple):
    """Bad ones of all."""

    bad: float
    total: float


class BurnWindow(NamedTuple):
    """An alert: at least `rate` over both windows (s)."""

    severity: Literal["page", "ticket"]
    long_s: int
    short_s: int
    rate: float

    @property
    def budget(self) -> float:
        """The share of a 30-day budget that is gone when it fires: rate x long window / period."""
        return self.rate * self.long_s / PERIOD_S


class Burning(NamedTuple):
    """An alert that fires, with the burn rates of its windows."""

    window: BurnWindow
    long_rate: float
    short_rate: float


# The workbook's table 5-8: 2 % of the budget in an hour, 5 % in six hours, 10 % in a day or in three.
WORKBOOK: Final = (
    BurnWindow("page", HOUR, HOUR // 12, 14.4),
    BurnWindow("page", 6 * HOUR, HOUR // 2, 6.0),
    BurnWindow("ticket", 24 * HOUR, 2 * HOUR, 3.0),
    BurnWindow("ticket", 72 * HOUR, 6 * HOUR, 1.0),
)


def burn_rate(counts: Counts, objective: float) -> float:
    """bad / total / (1 - objective): 1 spends the budget exactly within its period. 0 of nothing.

    objective: the share that must be good, such as 0.999; ValueError unless between 0 and 1.
    """
    if not 0 <= objective < 1:
        raise ValueError(f"objective must be at least 0 and below 1, not {objective}")
    return counts.bad / counts.total / (1 - objective) if counts.total > 0 else 0.0


def burning(
    spans: Mapping[int, Counts],
    objective: float,
    windows: Sequence[BurnWindow] = WORKBOOK,
    *,
    min_bad: float = MIN_BAD,
) -> list[Burning]:
    """Alerts that fire, in the order of `windows`. spans: counts of the last so many seconds; a window whose spans are
    not all there does not fire, nor one with fewer than min_bad in its short span."""
    fired = []
    for window in windows:
        long, short = spans.get(window.long_s), spans.get(window.short_s)
        if long is None or short is None or short.bad < min_bad:
            continue
        rates = burn_rate(long, objective), burn_rate(short, objective)
        if min(rates) >= window.rate:
            fired.append(Burning(window, *rates))
    return fired
