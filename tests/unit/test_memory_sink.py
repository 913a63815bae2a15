"""The sink in memory: the semantics that the pipeline's tests stand on."""

import json
from typing import Any

import pytest

from schemas.envelope import decode
from schemas.errors import Unavailable
from schemas.parts import CatalogRow, Claim, DeadLetter, Event, InteractionRow, Part
from sinks.memory import Key, MemorySink

T0 = 1_700_000_000_000


def event(stage: str, digest: int, record_at: int = T0) -> Event:
    body: dict[str, Any] = {"schema_version": 1, "request_id": "r", "ts": T0, "stage": stage, "component": "c"}
    raw = json.dumps(body).encode()
    return Event(decode(raw), raw, digest, record_at, record_at, "t", 0, 0)


def part(*events: Event) -> Part:
    return Part("r", list(events), "complete", [], [])


def test_landing_twice_in_any_cut_changes_nothing() -> None:
    one, two = event("scoring", 1), event("ordering", 2)
    whole, cut = MemorySink(), MemorySink()
    whole.land([part(one, two)])
    for each in (part(two), part(one), part(one, two), part(two)):
        cut.land([each])
    assert whole.merged() == cut.merged() == {"r": {Key("scoring", "c", 0, 1): T0, Key("ordering", "c", 0, 2): T0}}


def test_of_exact_copies_the_lowest_record_time_counts() -> None:
    sink = MemorySink()
    sink.land([part(event("scoring", 1, T0 + 5)), part(event("scoring", 1, T0)), part(event("scoring", 1, T0 + 9))])
    assert list(sink.merged()["r"].values()) == [T0]


def test_away_keeps_nothing() -> None:
    sink = MemorySink()
    sink.available = False
    with pytest.raises(Unavailable):
        sink.land([part(event("scoring", 1))])
    with pytest.raises(Unavailable):
        sink.write_progress([Claim("t", 0, 1)])
    sink.available = True
    assert sink.merged() == {}
    assert sink.landed_until() == {}


def test_refused_events_come_back_and_the_rest_is_in() -> None:
    sink = MemorySink(lambda each: "bad" if each.hash == 1 else None)
    (letter,) = sink.land([part(event("scoring", 1), event("ordering", 2))])
    assert (letter.reason, letter.component, letter.request_id) == ("bad", "c", "r")
    assert [key.stage for key in sink.merged()["r"]] == ["ordering"]


def test_rows_have_natural_keys_and_progress_only_rises() -> None:
    sink = MemorySink()
    for _ in range(2):
        sink.write_interactions([InteractionRow("r", "i", "click", T0, None, None, T0)])
        sink.write_catalog([CatalogRow("i", T0 + 1, title="new"), CatalogRow("i", T0, title="old")])
        sink.write_dead_letters([DeadLetter("t", 0, 7, T0, b"", b"{", "malformed_json", "$", "")])
        sink.write_progress([Claim("t", 0, T0)])
    sink.write_progress([Claim("t", 0, T0 - 1)])
    assert len(sink.interactions()) == len(sink.dead_letters()) == 1
    assert sink.catalog()["i"].title == "new"
    assert sink.landed_until() == {("t", 0): T0}
