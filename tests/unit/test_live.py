"""Live metrics: what a closed request counts for, and that labels stay few."""

import json
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.envelope import decode
from schemas.parts import Event, Part
from streams.live import MAX_PLACEMENTS, MAX_VALUES, LiveMetrics

T0 = 1_700_000_000_000


class Bench:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.live = LiveMetrics()
        self.registry.register(self.live)

    def observe(self, *events: dict[str, Any]) -> None:
        found = []
        for number, each in enumerate(events):
            raw = json.dumps({"schema_version": 1, "request_id": "r", "ts": T0, "component": "api"} | each).encode()
            found.append(Event(decode(raw), raw, number, T0, T0, "t", 0, number))
        self.live.observe(Part("r", found, "complete", [], []))

    def value(self, name: str, segment: str = "", placement: str = "home") -> float | None:
        return self.registry.get_sample_value(name, {"placement": placement, "segment": segment})


def request(**more: Any) -> dict[str, Any]:
    return {"stage": "request", "placement": "home", "k": 3} | more


def response(*items: str, **more: Any) -> dict[str, Any]:
    return {"stage": "response", "items": list(items)} | more


def test_a_request_counts_once_for_all_and_once_a_segment() -> None:
    bench = Bench()
    bench.observe(request(segments={"country": "DE", "premium": True, "age": 30}), response("a", "b", "c"))
    for segment in ("", "country=DE", "premium=true", "age=30"):
        assert bench.value("rectrace_live_requests_total", segment) == 1
        assert bench.value("rectrace_live_short_total", segment) == 0


def test_empty_is_short_too_and_no_response_is_neither() -> None:
    bench = Bench()
    bench.observe(request(), response())
    bench.observe(request(), response("a"))
    bench.observe(request())
    assert bench.value("rectrace_live_empty_total") == 1
    assert bench.value("rectrace_live_short_total") == 2
    assert bench.value("rectrace_live_no_response_total") == 1


def test_counts_win_over_list_lengths() -> None:
    bench = Bench()
    bench.observe(request(), response("a", n_out=3, truncated=True))
    assert bench.value("rectrace_live_short_total") == 0


def test_fallbacks_and_errors() -> None:
    bench = Bench()
    bench.observe(request(), {"stage": "scoring", "status": "timeout"}, response("a", served_by="fallback"))
    assert bench.value("rectrace_live_fallback_total") == 1
    assert bench.value("rectrace_live_errors_total") == 1
    labels = {"placement": "home", "stage": "scoring", "component": "api"}
    assert bench.registry.get_sample_value("rectrace_live_stage_failed_total", labels) == 1


def test_latency_is_the_responses_own_else_the_time_between() -> None:
    bench = Bench()
    bench.observe(request(), response(duration_ms=120))
    bench.observe(request(), response(ts=T0 + 400))
    bench.observe(request(), response(ts=T0 - 3_600_000))  # a clock that is an hour behind
    assert bench.value("rectrace_live_latency_seconds_sum") == 0.52
    assert bench.value("rectrace_live_latency_seconds_count") == 3
    labels = {"placement": "home", "segment": "", "le": "0.2"}
    assert bench.registry.get_sample_value("rectrace_live_latency_seconds_bucket", labels) == 2


def test_stage_durations() -> None:
    bench = Bench()
    bench.observe(request(), {"stage": "retrieval", "component": "ann", "duration_ms": 12.5})
    labels = {"placement": "home", "stage": "retrieval", "component": "ann"}
    assert bench.registry.get_sample_value("rectrace_live_stage_latency_seconds_sum", labels) == 0.0125


def test_a_part_without_a_request_counts_for_nothing() -> None:
    bench = Bench()
    bench.observe(response("a"))
    assert bench.value("rectrace_live_requests_total") is None


def test_of_two_request_events_the_lowest_counts() -> None:
    bench = Bench()
    bench.observe(request(placement="home"), request(placement="cart"))
    assert bench.value("rectrace_live_requests_total") == 1
    assert bench.value("rectrace_live_requests_total", placement="cart") is None


def test_labels_stay_few() -> None:
    bench = Bench()
    for number in range(MAX_VALUES + 50):
        bench.observe(request(segments={"user": str(number)}))
    assert bench.value("rectrace_live_requests_total", f"user={MAX_VALUES - 1}") == 1
    assert bench.value("rectrace_live_requests_total", f"user={MAX_VALUES}") is None
    assert bench.value("rectrace_live_requests_total", "user=other") == 50
    for number in range(MAX_PLACEMENTS + 5):
        bench.observe(request(placement=f"p{number}"))
    assert bench.value("rectrace_live_requests_total", placement="other") == 6
    for number in range(100):
        bench.observe(request(segments={f"s{number}": "x"}))
    assert bench.value("rectrace_live_requests_total", "s99=x") is None
