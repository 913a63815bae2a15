"""What `rectrace changed` can be asked about: each metric once, from sums of sealed windows."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sinks.clickhouse.changes import LEVELS
from streams.detect.suspects import Signal

Row = Mapping[str, Any]
Kind = Literal["count", "share", "mean", "latency"]
P95: Final = LEVELS.index(0.95)


@dataclass(frozen=True)
class Metric:
    """kind: a count; a share of requests, slots or candidates; a mean a request; a latency in ms. whole: the column
    that `part` is counted among. more_is_worse: None where neither is. statuses: of the requests that show it, any of
    them. shows: the signal of a component that makes a request count, unless it is mostly a consequence."""

    name: str
    kind: Kind
    says: str  # "... of N requests" for a share
    part: Callable[[Row], float]
    whole: str = "requests"
    more_is_worse: bool | None = True
    statuses: tuple[str, ...] = ()
    shows: Signal | None = None

    @property
    def status(self) -> str:
        """The one by which requests that show it are asked for; empty where there is none, or there are several."""
        return self.statuses[0] if len(self.statuses) == 1 else ""


def _column(name: str) -> Callable[[Row], float]:
    return lambda row: float(row[name])


METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("requests", "count", "requests", _column("requests"), more_is_worse=None),
        Metric("empty", "share", "empty responses", _column("empty"), statuses=("empty",)),
        Metric("short", "share", "short responses", _column("short"), statuses=("short",)),
        Metric("under_5", "share", "responses of fewer than 5", _column("under_5"), statuses=("short",)),
        Metric("under_10", "share", "responses of fewer than 10", _column("under_10")),
        Metric("fallback", "share", "fallback responses", _column("fallback"), statuses=("fallback",)),
        Metric(
            "failed", "share", "requests with a failed stage", _column("failed"), statuses=("error", "timeout"),
            shows="failed",
        ),
        Metric("incomplete", "share", "incomplete requests", _column("incomplete"), statuses=("incomplete",)),
        Metric(
            "no_response", "share", "requests without a response",
            lambda row: float(row["requests"] - row["responded"]),
            statuses=("no_response",),
        ),
        Metric("served", "mean", "items served a request", _column("served"), more_is_worse=False),
        Metric(
            "fill", "share", "slots filled", _column("served"), whole="slots", more_is_worse=False, statuses=("short",)
        ),
        Metric("yield", "share", "candidates served", _column("chosen"), whole="candidacies", more_is_worse=False),
        Metric(
            "latency", "latency", "latency p95", lambda row: float(row["slow"]), whole="responded", shows="duration"
        ),
    )
}  # fmt: skip


def share_above(quantiles: Sequence[float], limit: float) -> float:
    """The share of values above `limit`, from quantiles at LEVELS; linear between them, as far as they reach."""
    at = bisect_right(quantiles, limit)
    if at in (0, len(quantiles)):
        return 1.0 - LEVELS[0] if at == 0 else 1.0 - LEVELS[-1]
    low, high = quantiles[at - 1], quantiles[at]
    between = (limit - low) / (high - low) if high > low else 0.0
    return 1.0 - (LEVELS[at - 1] + between * (LEVELS[at] - LEVELS[at - 1]))
