"""Random requests, imperfect in every way the contract allows, from any `random.Random` (Hypothesis has one that
shrinks)."""

from random import Random
from typing import Any, Final

from schemas.parts import Event
from schemas.pipeline import STAGES
from tests.support.events import event, raw

ITEMS: Final = ("a", "b", "c", "d", "e", "f", "g", "h", "é😀", "", "7", "x'\\y")
COMPONENTS: Final = {
    "retrieval": ("ann", "covisit", "popular"),
    "filtering": ("stock", "seen", "region"),
    "scoring": ("ranker", "calibrator"),
    "response": ("api", "edge"),
}
REASONS: Final = ("out_of_stock", "seen", "rule'1", "")
EXPECTS: Final[tuple[list[str] | None, ...]] = (
    None, [], ["retrieval", "scoring", "response"], ["ann", "stock", "ranker", "api"], ["merging"], ["region"],
    ["filtering/stock", "filtering/region", "filtering/a/b", "ordering/ordering"], ["a/b", "cutoff"],
)  # fmt: skip


def random_events(rng: Random, request_id: str, at: int) -> list[Event]:
    """The events of one request in no order, record times within two seconds from `at` (ms)."""
    pool = rng.sample(ITEMS, rng.randint(1, len(ITEMS)))
    bodies: list[bytes] = []
    for stage in STAGES:
        for component in _components(rng, stage):
            for attempt in _attempts(rng, stage):
                body = _body(rng, stage, pool)
                bodies.append(_raw(rng, request_id, stage, component, attempt, at, body))
                if rng.random() < 0.05:  # a conflicting duplicate
                    bodies.append(_raw(rng, request_id, stage, component, attempt, at, _body(rng, stage, pool)))
                if body.get("items") and rng.random() < 0.7:
                    pool = [str(item) for item in body["items"]]
    events = [_event(rng, data, at, offset) for offset, data in enumerate(bodies)]
    rng.shuffle(events)
    return events


def _components(rng: Random, stage: str) -> list[str]:
    names = COMPONENTS.get(stage, (stage,))
    if stage == "request":
        return ["api"] if rng.random() < 0.95 else ["api", "gateway"]
    if stage == "response":
        return rng.choice([[], ["api"], ["api"], ["api"], ["api"], ["api", "edge"]])
    most = len(names) if rng.random() < 0.7 else 0
    return rng.sample(names, rng.randint(0, most))


def _attempts(rng: Random, stage: str) -> list[int]:
    if stage == "request" or rng.random() < 0.8:
        return [0]
    return rng.choice([[0, 1], [0, 1, 2], [1], [2, 0]])


def _body(rng: Random, stage: str, pool: list[str]) -> dict[str, Any]:
    if stage == "request":
        return _request_body(rng)
    body: dict[str, Any] = {"status": rng.choice(["ok"] * 8 + ["fallback", "timeout", "error", None])}
    if (items := _items(rng, stage, pool)) is not None or rng.random() < 0.5:
        body["items"] = items
    if items is not None and (stage == "scoring" or rng.random() < 0.1):
        body["scores"] = [_score(rng) for _ in range(max(0, len(items) + rng.choice([0, 0, 0, 0, -1, 1])))]
    if rng.random() < 0.4:
        reasons = rng.sample(REASONS, rng.randint(0, len(REASONS)))
        body["dropped"] = {reason: _some(rng, pool) for reason in reasons}
    if rng.random() < 0.3:
        body["adjustments"] = [_adjustment(rng, pool) for _ in range(rng.randint(0, 3))]
    if stage == "response":
        body["served_by"] = rng.choice([None, "primary", "primary", "fallback"])
        body["items"] = items or []
    if stage == "business_logic" and rng.random() < 0.2:
        body["dropped_counts"] = {rng.choice(REASONS): rng.randint(0, 3)}
    for name in ("n_in", "n_out", "duration_ms", "seq"):
        if rng.random() < 0.2:
            body[name] = rng.randint(0, 3)
    if rng.random() < 0.1:
        body["truncated"] = True
    return body


def _request_body(rng: Random) -> dict[str, Any]:
    return {
        "placement": rng.choice(["home", "pdp"]),
        "k": rng.randint(0, 4),
        "user_id": rng.choice([None, 5, "u'1"]),
        "segments": rng.choice([None, {}, {"country": "DE"}, {"country": "FR'$database", "vip": True}]),
        "experiments": rng.choice([None, {"rank": "a"}, {"rank": "b", "ui": 2}]),
        "expects": rng.choice(EXPECTS),
    }


def _items(rng: Random, stage: str, pool: list[str]) -> list[str | int] | None:
    if rng.random() < (0.15 if stage != "retrieval" else 0.05):
        return None
    items: list[str | int] = [*_some(rng, ITEMS if stage == "retrieval" or rng.random() < 0.1 else pool)]
    if items and rng.random() < 0.1:
        items.insert(rng.randint(0, len(items)), rng.choice(items))  # twice in one list
    return [7 if item == "7" and rng.random() < 0.5 else item for item in items]


def _some(rng: Random, pool: Any) -> list[str]:
    return rng.sample(list(pool), rng.randint(0, len(pool)))


def _score(rng: Random) -> float | None:
    return rng.choice([None, 0.25, 0.5, 0.5, -1.0, 3.0, 0.125])


def _adjustment(rng: Random, pool: list[str]) -> dict[str, Any]:
    action = rng.choice(["boost", "bury", "boost", "bury", "pin", "inject", "drop", "drop"])
    made = {"rule_id": rng.choice(["r1", "r2", "seen"]), "item": rng.choice(pool), "action": action}
    return made | {"delta": rng.choice([None, 0, 0.5, -0.25])} if rng.random() < 0.6 else made


def _raw(rng: Random, rid: str, stage: str, component: str, attempt: int, at: int, body: dict[str, Any]) -> bytes:
    ts = at + rng.choice([0, 0, 1, 500])
    return raw(rid, stage, component, ts=ts, attempt=attempt, **body)


def _event(rng: Random, data: bytes, at: int, offset: int) -> Event:
    record_at = at + rng.choice([0, 0, 0, 1, 2, 1000, 2000])
    flagged = rng.random() < 0.05  # a record time that was not believed
    return event(data, record_at, offset=offset, raw_record_at=rng.choice([0, 5]) if flagged else record_at)
