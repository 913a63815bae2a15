"""The numbers of the demo's screen: from two scrapes of real metrics, as a worker exports them."""

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from rectrace.live_numbers import Numbers, Scrape, between, read
from schemas.parts import Part
from streams.live import LiveMetrics
from streams.metrics import Metrics
from tests.support.events import event, part, raw


class Worker:
    """The metrics of a worker, and what it says of them when scraped."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.live = LiveMetrics()
        self.registry.register(self.live)

    def scrape(self, at: float) -> Scrape:
        return read(generate_latest(self.registry).decode(), at)


def request(number: int, placement: str = "home", *, items: list[str], served_by: str = "primary", ms: int = 5) -> Part:
    request_id = f"r{number}"
    events = [
        raw(request_id, "request", ts=10**12, placement=placement, k=1, segments={"country": "DE"}),
        raw(request_id, "retrieval", "ann", ts=10**12, items=["a"], duration_ms=ms),
        raw(request_id, "scoring", "ranker", ts=10**12, items=["a"]),
        raw(request_id, "response", ts=10**12, items=items, served_by=served_by),
    ]
    return part([event(data, 10**12) for data in events])


def test_rates_are_of_the_time_between_two_scrapes() -> None:
    worker = Worker()
    worker.live.observe(request(0, items=[]))
    worker.metrics.consumed.labels("stages").inc(100)
    before = worker.scrape(10.0)
    for number in range(8):
        worker.live.observe(request(number, "cart" if number % 2 else "home", items=["a"] if number else []))
    worker.live.observe(request(9, items=["a"], served_by="fallback"))
    worker.live.observe(request(10, items=["a"]))
    worker.metrics.consumed.labels("stages").inc(40)
    worker.metrics.consumed.labels("clicks").inc(10)
    numbers = between(before, worker.scrape(15.0))
    assert numbers.requests == pytest.approx(10 / 5), "of all placements, and not once more for each segment"
    assert numbers.events == pytest.approx(50 / 5)
    assert numbers.empty_rate == pytest.approx(0.1)
    assert numbers.fallback_rate == pytest.approx(0.1)


def test_gauges_and_totals_are_of_the_last_scrape() -> None:
    worker = Worker()
    before = worker.scrape(0.0)
    worker.metrics.open_requests.set(3)
    worker.metrics.lag.labels("stages", 0).set(5)
    worker.metrics.lag.labels("stages", 1).set(6)
    worker.metrics.dead_letters.labels("stages", "empty").inc(2)
    worker.metrics.dead_letters.labels("clicks", "wrong_type").inc()
    worker.metrics.late.inc(4)
    worker.metrics.sealed_until.set(1_780_000_000)
    numbers = between(before, worker.scrape(1.0))
    assert (numbers.open_requests, numbers.lag, numbers.dead_letters, numbers.late) == (3, 11, 3, 4)
    assert numbers.sealed_until == 1_780_000_000


def test_without_requests_there_is_no_rate_to_tell() -> None:
    worker = Worker()
    numbers = between(worker.scrape(1.0), worker.scrape(1.0))
    assert numbers == Numbers(0, 0, None, None, 0, 0, 0, 0, 0)
    assert between(Scrape(0, {}, {}), Scrape(5, {}, {})) == numbers, "also from a page that has none of it"


def test_p95_of_each_stage_in_pipeline_order_of_the_time_between() -> None:
    worker = Worker()
    for number in range(100):
        worker.live.observe(request(number, items=["a"], ms=9_000))
    before = worker.scrape(0.0)
    for number in range(100):
        worker.live.observe(request(number, items=["a"], ms=20))
    numbers = between(before, worker.scrape(5.0))
    assert [*numbers.p95] == ["retrieval"], "a stage whose events give no duration has none"
    assert 0.01 <= numbers.p95["retrieval"] <= 0.025


def test_a_quantile_is_linear_within_its_bucket_and_never_beyond_the_last_bound() -> None:
    def p95(counts: dict[float, float]) -> float:
        return between(Scrape(0, {}, {}), Scrape(1, {}, {"scoring": counts})).p95["scoring"]

    assert p95({0.1: 0, 0.2: 100, math.inf: 100}) == pytest.approx(0.195)
    assert p95({0.1: 50, 0.2: 60, math.inf: 100}) == pytest.approx(0.2)
    assert p95({0.1: 1, math.inf: 1}) == pytest.approx(0.095)
