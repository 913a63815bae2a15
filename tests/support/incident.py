"""A small data set for looking at: one minute of requests in which things go wrong, and a quiet minute before it.

It lies in the year 2100, so that nothing of it expires while a test looks.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.parts import CatalogRow, Closed, DeadLetter, Part
from sinks.clickhouse.journey import Journey
from tests.support.database import Database
from tests.support.events import TOPIC, event, part, raw

NOON: Final = datetime(2100, 1, 1, 12, tzinfo=UTC)
NOON_MS: Final = int(NOON.timestamp()) * 1000
JOURNEY: Final = Journey(outcome_segments=("country",))
TITLES: Final = {
    "g1": "Linen Boxy Knit Top",
    "g2": "Silk Flared Knit Top",
    "g3": "Quilted Ski Jacket",
    "g4": "Denim Vest",
}
BOOST: Final = {"rule_id": "boost_new_season", "item": "g1", "action": "boost", "delta": 0.05}
PIN: Final = {"rule_id": "pin_campaign", "item": "g5", "action": "pin", "position": 3}


class Request:
    """The events of one request, in order, `at` ms after noon."""

    def __init__(self, request_id: str, at: int, **fields: Any) -> None:
        self._id, self._start, self._ms = request_id, NOON_MS + at, 0
        self._raw: list[tuple[int, bytes]] = []
        if fields:
            self.add("request", "api", 0, **fields)

    def add(self, stage: str, component: str, ms: int, **fields: Any) -> "Request":
        """One more event, `ms` after the one before."""
        self._ms += ms
        at = self._start + self._ms
        took = {"duration_ms": float(ms)} if ms and "duration_ms" not in fields else {}
        self._raw.append((at, raw(self._id, stage, component, ts=at, **took, **fields)))
        return self

    def part(self, closed: Closed = "complete") -> Part:
        """Landed 3 ms after each event's time."""
        return part([event(data, at + 3, offset=offset) for offset, (at, data) in enumerate(self._raw)], closed)


def journey(request_id: str, at: int, *, dropped: dict[str, list[str]], country: str = "DE") -> Request:
    """A whole request over seven items, of which filtering drops some."""
    request = Request(
        request_id, at, placement="home", k=3, user_id="u-1", segments={"country": country, "device": "ios"},
        experiments={"ranker": "v2"}, expects=["ann", "popular", "rrf", "stock", "ranker", "api"],
    )  # fmt: skip
    request.add("retrieval", "ann", 18, version="2.3.1", items=["g1", "g2", "g3", "g4"], scores=[0.91, 0.85, 0.8, 0.79])
    request.add("retrieval", "popular", 1, items=["g5", "g2", "g6", "g7"])
    merged = ["g2", "g1", "g5", "g3", "g4", "g6", "g7"]
    request.add("merging", "rrf", 2, n_in=8, n_unique=7, items=merged)
    kept = [item for item in merged if not any(item in gone for gone in dropped.values())]
    request.add("filtering", "stock", 3, items=kept, dropped=dropped)
    scores = {"g1": 0.28, "g2": 0.31, "g3": 0.22, "g4": 0.12, "g5": 0.17, "g6": 0.15}
    request.add("scoring", "ranker", 38, version="1.4.0", items=kept, scores=[scores.get(item) for item in kept])
    order = sorted(kept, key=lambda item: -scores.get(item, 0.0))
    request.add("ordering", "mmr", 2, items=order[:-1])
    boosted = ["g1", *(item for item in order[:-1] if item != "g1")]
    request.add("business_logic", "merchandising", 1, items=boosted, adjustments=[BOOST, PIN])
    request.add("cutoff", "top_k", 1, items=boosted[:3])
    return request.add("response", "api", 2, duration_ms=68, items=boosted[:3])


def requests() -> list[Part]:
    """All of them, oldest first."""
    parts = [
        journey(f"quiet-{n}", -50_000 + n * 10_000, dropped={}, country="FR" if n else "DE").part() for n in range(4)
    ]
    parts.append(journey("whole", 1_000, dropped={"out_of_stock": ["g3"], "seen": ["g6"]}).part())
    parts.append(journey("whole-2", 4_000, dropped={"out_of_stock": ["g3"]}, country="FR").part())
    fallback = Request("fallback", 12_000, placement="home", k=3, user_id="u-2", segments={"country": "DE"})
    fallback.add("retrieval", "ann", 17, items=["g1", "g3"])
    fallback.add("scoring", "ranker", 1_200, status="timeout", error="no answer within 1200 ms")
    parts.append(
        fallback.add("response", "api", 5, duration_ms=1_222, served_by="fallback", items=["g5", "g1"]).part("settled")
    )
    empty = Request("empty", 15_000, placement="cart", k=2, user_id="u-1", segments={"country": "DE"})
    empty.add("retrieval", "ann", 11, items=["g3", "g4"])
    empty.add("filtering", "region", 2, items=[], dropped={"region": ["g3", "g4"]})
    parts.append(empty.add("response", "api", 1, items=[]).part("settled"))
    unanswered = Request("unanswered", 21_000, placement="home", k=3, user_id="u-3", expects=["ann", "ranker", "api"])
    parts.append(unanswered.add("retrieval", "ann", 14, items=["g1", "g2"]).part("timeout"))
    orphan = Request("orphan", 22_000).add("scoring", "ranker", 30, items=["g1", "g2"], scores=[0.5, 0.25])
    parts.append(orphan.add("response", "api", 2, items=["g1"]).part("timeout"))
    twice = Request("twice", 25_000, placement="home", k=1, user_id="u-4").add(
        "retrieval", "ann", 9, items=["g1", "g2"]
    )
    twice.add("response", "api", 1, items=["g1"])
    parts.append(twice.add("response", "api", 1, items=["g2"]).part("settled"))
    return parts


def dead_letters() -> list[DeadLetter]:
    """Three, of which one has no component."""

    def letter(offset: int, reason: str, field: str, message: str, data: bytes, component: str = "") -> DeadLetter:
        at = NOON_MS + offset * 1000
        return DeadLetter(
            TOPIC, 0, offset, at, b"r-9", data, reason, field, message, component, "r-9" if component else ""
        )

    zone = "expected RFC 3339 with a zone, such as 2026-03-01T12:00:00Z"
    late = raw("r-9", "scoring", "ranker", ts=NOON_MS).replace(str(NOON_MS).encode(), b'"2100-01-01T12:00:00"')
    return [
        letter(7, "wrong_value", "$.ts", zone, late, "ranker"),
        letter(9, "missing_field", "$.k", "required field is missing", b'{"stage": "request"}', "api"),
        letter(12, "invalid_utf8", "$", "byte 1 is not UTF-8", b"\x7b\xff\xfe"),
    ]


def create(client: Client, name: str, more: Iterable[Part] = ()) -> Database:
    """Land and seal all of it, and more, in a database of that name."""
    made = Database.create(client, name, JOURNEY)
    made.land([*requests(), *more])
    made.sink.write_dead_letters(dead_letters())
    made.sink.write_catalog(
        [CatalogRow(item, NOON_MS - 100_000, title=title, available=item != "g3") for item, title in TITLES.items()]
    )
    made.settle()
    return made
