"""Live numbers from two scrapes of a worker's /metrics. Pure: text in, numbers out."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from schemas.pipeline import STAGE_RANK

TOTAL = ""  # the segment label of the total


@dataclass(frozen=True)
class Scrape:
    """What one scrape says, at a time in seconds."""

    at: float
    counters: Mapping[str, float]  # by metric name; live ones: the total segment, all placements
    buckets: Mapping[str, Mapping[float, float]]  # stage -> upper bound in seconds -> cumulative count


@dataclass(frozen=True)
class Numbers:
    """What people watch, over the time between two scrapes. None: nothing to tell it from."""

    requests: float  # closed a second
    events: float  # read a second
    empty_rate: float | None
    fallback_rate: float | None
    open_requests: float
    dead_letters: float  # since the start
    late: float  # since the start
    lag: float  # records
    sealed_until: float  # epoch seconds; 0: not yet
    p95: Mapping[str, float] = field(default_factory=dict)  # stage -> seconds, in pipeline order


def read(text: str, at: float) -> Scrape:
    """Read the text of /metrics."""
    counters: dict[str, float] = defaultdict(float)
    buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "rectrace_live_stage_latency_seconds_bucket":
                bound = float(sample.labels["le"])
                buckets[sample.labels["stage"]][bound] += sample.value
            elif sample.labels.get("segment", TOTAL) == TOTAL:
                counters[sample.name] += sample.value
    return Scrape(at, counters, buckets)


def between(before: Scrape, after: Scrape) -> Numbers:
    """The numbers of the time between two scrapes of one worker."""
    seconds = max(after.at - before.at, 0.001)

    def grown(name: str) -> float:
        return after.counters.get(name, 0.0) - before.counters.get(name, 0.0)

    closed = grown("rectrace_live_requests_total")
    stages = sorted(after.buckets, key=lambda stage: STAGE_RANK.get(stage, len(STAGE_RANK)))
    p95 = {stage: _quantile(0.95, before.buckets.get(stage, {}), after.buckets[stage]) for stage in stages}
    return Numbers(
        requests=closed / seconds,
        events=grown("rectrace_records_consumed_total") / seconds,
        empty_rate=grown("rectrace_live_empty_total") / closed if closed else None,
        fallback_rate=grown("rectrace_live_fallback_total") / closed if closed else None,
        open_requests=after.counters.get("rectrace_open_requests", 0.0),
        dead_letters=after.counters.get("rectrace_dead_letters_total", 0.0),
        late=after.counters.get("rectrace_late_events_total", 0.0),
        lag=after.counters.get("rectrace_lag_records", 0.0),
        sealed_until=after.counters.get("rectrace_sealed_until_seconds", 0.0),
        p95={stage: value for stage, value in p95.items() if value is not None},
    )


def _quantile(q: float, before: Mapping[float, float], after: Mapping[float, float]) -> float | None:
    """From a cumulative histogram, linear within a bucket, as Prometheus' histogram_quantile does it."""
    counts = sorted((bound, count - before.get(bound, 0.0)) for bound, count in after.items())
    total = counts[-1][1] if counts else 0.0
    if total <= 0:
        return None
    wanted, lower, below = q * total, 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            return (
                lower if bound == float("inf") else lower + (bound - lower) * (wanted - below) / max(count - below, 1.0)
            )
        lower, below = bound, count
    return lower
