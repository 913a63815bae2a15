"""Made-up traffic with everything that goes wrong with events, planned from a seed: what to publish, and when."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.pipeline import STAGE_RANK

ITEMS = 60
COUNTRIES = ("DE", "FR", "US")
SOURCES = ("ann", "popular")
RULE = "boost_first"  # moves the first candidate at home


@dataclass(frozen=True)
class Shape:
    """Shares are of requests, times in seconds."""

    seconds: float = 12.0
    rate: float = 40.0  # requests a second
    spread: float = 0.6  # from the first to the last event of a request
    incomplete: float = 0.05
    no_request: float = 0.01
    late: float = 0.05
    late_after: float = 3.5  # after its request has closed
    very_late: float = 0.03
    very_late_after: float = 7.0  # after join.max_wait
    duplicates: float = 0.06
    conflicts: float = 0.04
    skewed: float = 0.02  # payload times an hour off
    padding: int = 0  # bytes more in every event, in its error text


@dataclass(frozen=True, order=True)
class Planned:
    """One event to publish `at` seconds after the start."""

    at: float
    request_id: str
    stage: str
    value: bytes

    def topic(self, topics: Sequence[str]) -> str:
        """Each stage has its topic, where there are several."""
        return topics[STAGE_RANK[self.stage] % len(topics)]


def plan(shape: Shape, seed: int, now: float) -> list[Planned]:
    """All events in the order of publishing. now: epoch seconds of the start, for the payload's times."""
    rng = random.Random(seed)
    count = int(shape.seconds * shape.rate)
    requests = (_request(shape, rng, f"r{seed}-{n}", n / shape.rate, now) for n in range(count))
    return sorted(event for events in requests for event in events)


def _request(shape: Shape, rng: random.Random, request_id: str, start: float, now: float) -> Iterator[Planned]:
    events = _journey(rng, request_id)
    skew = rng.choice((-3600.0, 3600.0)) if rng.random() < shape.skewed else 0.0
    events = _without_some(shape, rng, events)
    odd = rng.randrange(len(events))
    late = _lateness(shape, rng)
    step = shape.spread / len(events)
    for number, event in enumerate(events):
        at = start + number * step + rng.random() * step + (late if number == odd else 0.0)
        event["ts"] = int((now + at + skew) * 1000)
        yield _planned(at, event)
        if number == odd and rng.random() < shape.duplicates * 2:
            yield _planned(at + rng.random() * shape.very_late_after, event)
        if number != odd and rng.random() < shape.conflicts / 4:
            yield _planned(
                at + rng.random() * shape.very_late_after, {**event, "version": "other", "ts": event["ts"] + 1}
            )


def _without_some(shape: Shape, rng: random.Random, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if rng.random() < shape.no_request:
        return events[1:]
    if rng.random() < shape.incomplete:
        gone = set(rng.sample(range(1, len(events)), rng.choice((1, 2))))
        return [event for number, event in enumerate(events) if number not in gone]
    return events


def _lateness(shape: Shape, rng: random.Random) -> float:
    draw = rng.random()
    if draw < shape.very_late:
        return shape.very_late_after
    return shape.late_after if draw < shape.very_late + shape.late else 0.0


def _planned(at: float, event: dict[str, Any]) -> Planned:
    return Planned(at, event["request_id"], event["stage"], json.dumps(event).encode())


def _journey(rng: random.Random, request_id: str) -> list[dict[str, Any]]:
    """A whole request: 6 to 9 events with a dozen candidates, each candidate with one end."""
    home = rng.random() < 0.7
    sources = {name: _items(rng, rng.randrange(0, 9)) for name in SOURCES}
    merged = list(dict.fromkeys(item for items in sources.values() for item in items))
    kept = [item for item in merged if rng.random() < 0.8]
    dropped: dict[str, list[str]] = {}
    for item in merged:
        if item not in kept:
            dropped.setdefault(rng.choice(("stock", "seen")), []).append(item)
    ranked = sorted(kept, key=lambda item: rng.random())
    k = 5
    stages: list[dict[str, Any]] = [
        {
            "stage": "request",
            "component": "api",
            "placement": "home" if home else "cart",
            "k": k,
            "user_id": f"u{rng.randrange(500)}",
            "segments": {"country": rng.choice(COUNTRIES), "device": rng.choice(("web", "app"))},
            "experiments": {"ranker": rng.choice("ab")},
        },
        *({"stage": "retrieval", "component": name, "items": items} for name, items in sources.items()),
    ]
    if rng.random() < 0.1:  # a source is asked again
        more = _items(rng, 2)
        stages.append({"stage": "retrieval", "component": "ann", "attempt": 1, "items": more})
    if home:
        n_in = sum(map(len, sources.values()))
        stages.append({"stage": "merging", "component": "merge", "items": merged, "n_in": n_in})
    stages.append({"stage": "filtering", "component": "rules", "items": kept, "dropped": dropped})
    stages.append(
        {"stage": "scoring", "component": "ranker", "items": kept, "scores": [round(rng.random(), 4) for _ in kept]}
    )
    if home:
        boosts = [{"rule_id": RULE, "item": item, "action": "boost", "delta": 0.5} for item in ranked[:1]]
        ordered = {"stage": "ordering", "component": "diversity", "items": ranked, "duration_ms": 1.5}
        stages.append({**ordered, "adjustments": boosts})
    stages.append({"stage": "response", "component": "api", "items": ranked[:k]})
    if rng.random() < 0.5:  # known to the join: it closes at once; else it settles
        stages[0]["expects"] = sorted({stage["component"] for stage in stages[1:]})
    return [{"schema_version": 1, "request_id": request_id, **stage} for stage in stages]


def _items(rng: random.Random, count: int) -> list[str]:
    return [f"i{number}" for number in rng.sample(range(ITEMS), count)]
