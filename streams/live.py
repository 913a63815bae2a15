"""Live metrics of the traffic, counted from closed parts of one worker: hints for watching, not for deciding.

Plain counters here, made into Prometheus metrics when scraped: a request touches dozens of series.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.envelope import Envelope
from schemas.parts import Event, Part
from streams import metrics

MAX_PLACEMENTS: Final = 20
MAX_COMPONENTS: Final = 200
MAX_NAMES: Final = 12  # segments
MAX_VALUES: Final = 30  # of a segment
OTHER: Final = "other"
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
_FAILED: Final = frozenset({"error", "timeout"})
_items: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _Histogram:
    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        seen, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.counts, strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        return buckets


class _Segment:
    __slots__ = ("empty", "errors", "fallback", "latency", "no_response", "requests", "short")

    def __init__(self) -> None:
        self.requests = self.no_response = self.empty = self.short = self.fallback = self.errors = 0
        self.latency = _Histogram()


class _Stage:
    __slots__ = ("failed", "latency")

    def __init__(self) -> None:
        self.failed = 0
        self.latency = _Histogram()


class _Capped:
    """The first so many names as they are, later ones as `other`."""

    __slots__ = ("_known", "_limit")

    def __init__(self, limit: int) -> None:
        self._known: set[str] = set()
        self._limit = limit

    def __call__(self, name: str) -> str:
        if name not in self._known:
            if len(self._known) >= self._limit:
                return OTHER
            self._known.add(name)
        return name


class LiveMetrics(Collector):
    """Feed it with `observe`; register it on a registry."""

    def __init__(self) -> None:
        self._segments: dict[tuple[str, str], _Segment] = {}
        self._stages: dict[tuple[str, str, str], _Stage] = {}
        self._placement = _Capped(MAX_PLACEMENTS)
        self._component = _Capped(MAX_COMPONENTS)
        self._name = _Capped(MAX_NAMES)
        self._values: dict[str, _Capped] = {}

    def observe(self, part: Part) -> None:
        """Count one closed request; parts without a request event say nothing about a placement."""
        request = _first(part.events, "request")
        if request is None:
            return
        response = _first(part.events, "response")
        placement = self._placement(request.placement or "")
        failed = self._observe_stages(placement, part.events)
        latency = _latency(request, response)
        served = None if response is None else _served(response)
        for segment in self._segment_labels(request):
            cell = self._segments.get((placement, segment))
            if cell is None:
                cell = self._segments[placement, segment] = _Segment()
            cell.requests += 1
            cell.errors += failed
            if served is None or response is None:
                cell.no_response += 1
                continue
            cell.empty += served == 0
            cell.short += served < (request.k or 0)
            cell.fallback += response.served_by == "fallback"
            if latency is not None:
                cell.latency.observe(latency)

    def _observe_stages(self, placement: str, events: Iterable[Event]) -> bool:
        failed_any = False
        for event in events:
            envelope = event.envelope
            failed = envelope.status in _FAILED
            failed_any |= failed
            key = (placement, envelope.stage, self._component(envelope.component))
            cell = self._stages.get(key)
            if cell is None:
                cell = self._stages[key] = _Stage()
            cell.failed += failed
            if envelope.duration_ms is not None:
                cell.latency.observe(envelope.duration_ms / 1000)
        return failed_any

    def _segment_labels(self, request: Envelope) -> Iterator[str]:
        yield ""
        for name, value in (request.segments or {}).items():
            if value is None:
                continue
            name = self._name(name)  # noqa: PLW2901 - capped
            if name == OTHER:
                continue
            values = self._values.get(name)
            if values is None:
                values = self._values[name] = _Capped(MAX_VALUES)
            yield f"{name}={values(_text(value))}"

    def collect(self) -> Iterator[Metric]:
        """Called by the registry, on the thread that serves the scrape."""
        segments, stages = list(self._segments.items()), list(self._stages.items())
        counters = (
            (metrics.LIVE_REQUESTS, "requests"),
            (metrics.LIVE_NO_RESPONSE, "no_response"),
            (metrics.LIVE_EMPTY, "empty"),
            (metrics.LIVE_SHORT, "short"),
            (metrics.LIVE_FALLBACK, "fallback"),
            (metrics.LIVE_ERRORS, "errors"),
        )
        for definition, attribute in counters:
            yield _counter(definition, ((labels, getattr(cell, attribute)) for labels, cell in segments))
        yield _counter(metrics.LIVE_STAGE_FAILED, ((labels, cell.failed) for labels, cell in stages))
        yield _histogram(metrics.LIVE_LATENCY, ((labels, cell.latency) for labels, cell in segments))
        yield _histogram(metrics.LIVE_STAGE_LATENCY, ((labels, cell.latency) for labels, cell in stages))


def _first(events: Iterable[Event], stage: str) -> Envelope | None:
    chosen = [event for event in events if event.envelope.stage == stage]
    return min(chosen, key=lambda event: (event.record_at, event.hash)).envelope if chosen else None


def _served(response: Envelope) -> int:
    if response.n_out is not None:
        return response.n_out
    try:
        return len(_items.decode(response.items))  # at most k items: no candidate list is decoded
    except msgspec.DecodeError:
        return 0


def _latency(request: Envelope, response: Envelope | None) -> float | None:
    if response is None:
        return None
    if response.duration_ms is not None:
        return response.duration_ms / 1000
    return max(response.ts_ms - request.ts_ms, 0) / 1000


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _counter(definition: metrics.LiveMetric, cells: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = CounterMetricFamily(definition.name, definition.documentation, labels=definition.labels)
    for labels, value in cells:
        family.add_metric(labels, value)
    return family


def _histogram(definition: metrics.LiveMetric, cells: Iterable[tuple[tuple[str, ...], _Histogram]]) -> Metric:
    family = HistogramMetricFamily(definition.name, definition.documentation, labels=definition.labels)
    for labels, histogram in cells:
        family.add_metric(labels, histogram.buckets(), histogram.total)
    return family
