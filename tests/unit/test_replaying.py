"""Which dead letters are sent again: each content once, oldest first, and of the catalogue none unasked."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rectrace.replaying import choose, summary

START = datetime(2026, 6, 1, tzinfo=UTC)


def letter(offset: int, raw: bytes, topic: str = "stages", key: bytes = b"k") -> dict[str, Any]:
    at = START + timedelta(seconds=offset)
    return {"topic": topic, "partition": 0, "offset": offset, "record_at": at, "key": key, "raw": raw}


def test_each_content_is_sent_once_oldest_first() -> None:
    chosen = choose([letter(4, b"a"), letter(3, b"b"), letter(2, b"a"), letter(1, b"a", key=b"other")], "catalog")
    assert [(row["offset"], row["raw"]) for row in chosen.records] == [(1, b"a"), (2, b"a"), (3, b"b")]
    assert summary(chosen) == "3 dead letters; 1 more with the same bytes as one of them"


def test_items_of_the_catalogue_stay_unless_their_topic_is_named() -> None:
    letters = [letter(2, b"a"), letter(1, b"{}", "catalog")]
    assert (
        summary(choose(letters, "catalog")) == "1 dead letter; not 1 of the catalogue (name their topic to send them)"
    )
    assert summary(choose(letters, "")) == "2 dead letters"


def test_nothing_is_nothing() -> None:
    assert summary(choose([], "catalog")) == "0 dead letters"
