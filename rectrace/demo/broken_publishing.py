"""Faults of what is published: the recommender works, its events do not tell. And more traffic, which is no fault."""

from collections.abc import Callable

import msgspec

from rectrace.demo.ask import Ask
from rectrace.demo.hooks import EventDict, Sending
from rectrace.demo.truth import Kind, Truth

HOUR_MS = 3_600_000


class EventsLost(Kind):
    """A producer that drops events when its buffer is full."""

    truth = Truth("events_lost", "30 % of the events of ordering do not arrive", "ordering", "mmr", pages=False)

    def sendings(self, ask: Ask, event: EventDict, sendings: list[Sending]) -> list[Sending]:
        return [] if self.is_mine(event) and self.strikes(ask, 0.3) else sendings


class EventsDuplicated(Kind):
    """A producer that is not idempotent and retries."""

    truth = Truth(
        "events_duplicated",
        "40 % of the events of eligibility come twice, a quarter of a second apart",
        "filtering",
        "eligibility",
        pages=False,
    )

    def sendings(self, ask: Ask, event: EventDict, sendings: list[Sending]) -> list[Sending]:
        if not self.is_mine(event) or not self.strikes(ask, 0.4):
            return sendings
        return sendings + [(wait + 0.25, body) for wait, body in sendings]


class ClockSkew(Kind):
    """A host whose clock is wrong."""

    truth = Truth("clock_skew", "the clock of content is an hour ahead", "retrieval", "content", pages=False)

    def event(self, ask: Ask, event: EventDict) -> EventDict:
        if self.is_mine(event):
            event["ts"] = int(ask.at * 1000) + HOUR_MS
        return event


class SchemaV2(Kind):
    """A producer that is ahead of its readers. The contract says that unknown fields are ignored."""

    truth = Truth(
        "schema_v2",
        "half of the ranker's events carry fields that version 1 does not know",
        "scoring",
        "ranker",
        pages=False,
    )

    def event(self, ask: Ask, event: EventDict) -> EventDict:
        if self.is_mine(event) and self.strikes(ask, 0.5):
            event["model_family"] = {"name": "ranker", "trained_on": "reviews"}
            event["feature_ms"] = 3.5
        return event


class MalformedEvents(Kind):
    """A producer with a broken serialiser: five ways that a reader sees at once, one hidden inside an array."""

    truth = Truth(
        "malformed_events", "30 % of the events of new_arrivals break the contract, in six ways", "retrieval",
        "new_arrivals",
    )  # fmt: skip

    def sendings(self, ask: Ask, event: EventDict, sendings: list[Sending]) -> list[Sending]:
        if not self.is_mine(event) or not self.strikes(ask, 0.3):
            return sendings
        way = WAYS_TO_BREAK[int(ask.luck("way") * len(WAYS_TO_BREAK))]
        return [(wait, way(event, body)) for wait, body in sendings]


class TrafficSpike(Kind):
    """A sale. Nobody should be paged."""

    truth = Truth("traffic_spike", "three times as many requests; nothing is broken", "request", "api", pages=False)

    def rate(self, rate: float) -> float:
        return rate * 3


def cut_off(event: EventDict, body: bytes) -> bytes:
    """Half of the JSON."""
    return body[: len(body) // 2]


def nan_score(event: EventDict, body: bytes) -> bytes:
    """NaN is not JSON."""
    return body.replace(b'"scores":[', b'"scores":[NaN,', 1)


def duration_in_words(event: EventDict, body: bytes) -> bytes:
    """A wrong type."""
    return msgspec.json.encode({**event, "duration_ms": "4 ms"})


def without_time(event: EventDict, body: bytes) -> bytes:
    """A missing field."""
    return msgspec.json.encode({name: value for name, value in event.items() if name != "ts"})


def latin_1(event: EventDict, body: bytes) -> bytes:
    """Not UTF-8."""
    return body.replace(b'"new_arrivals"', b'"nouveaut\xe9s"', 1)


def objects_as_items(event: EventDict, body: bytes) -> bytes:
    """Wrong inside the array, where only the full contract looks."""
    return msgspec.json.encode({**event, "items": [{"id": "g1078"}]})


WAYS_TO_BREAK: tuple[Callable[[EventDict, bytes], bytes], ...] = (
    cut_off,
    nan_score,
    duration_in_words,
    without_time,
    latin_1,
    objects_as_items,
)
