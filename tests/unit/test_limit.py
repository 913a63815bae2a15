"""The limit on dead letters: share and count, both, within a sliding window."""

import pytest

from schemas.parts import DeadLetter
from streams.limit import DeadLetterLimit, DeadLetterPolicy, TooManyDeadLetters

POLICY = DeadLetterPolicy(max_share=0.5, max_count=10, window_ms=60_000)


def letters(count: int, reason: str = "malformed_json") -> list[DeadLetter]:
    return [DeadLetter("t", 0, n, 0, b"", b"{", reason, "$", "", "ann") for n in range(count)]


def test_a_small_share_never_stops() -> None:
    limit = DeadLetterLimit(POLICY)
    for second in range(600):
        limit.add(second * 1_000, 1_000, letters(400))


def test_a_small_count_never_stops() -> None:
    limit = DeadLetterLimit(POLICY)
    limit.add(0, 10, letters(10))


def test_both_stop_and_the_commonest_cause_is_named() -> None:
    limit = DeadLetterLimit(POLICY)
    limit.add(0, 5, letters(5, "empty"))
    with pytest.raises(TooManyDeadLetters) as caught:
        limit.add(30_000, 8, letters(8))
    assert (caught.value.reason, caught.value.field, caught.value.component) == ("malformed_json", "$", "ann")
    assert "13 of the last 13" in str(caught.value)


def test_old_ones_are_forgotten() -> None:
    limit = DeadLetterLimit(POLICY)
    limit.add(0, 8, letters(8))
    limit.add(66_000, 8, letters(8))


def test_a_clock_that_goes_back_is_taken_as_standing_still() -> None:
    limit = DeadLetterLimit(POLICY)
    limit.add(100_000, 100, [])
    limit.add(0, 100, letters(50))
