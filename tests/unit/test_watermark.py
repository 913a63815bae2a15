"""The watermark of one topic-partition: what may be committed, what may be said to have landed."""

import random

from streams.watermark import Hold, TopicPartition, Watermark


def read(mark: Watermark, offset: int, record_at: int) -> Hold:
    mark.top = max(mark.top, record_at)
    mark.next = offset + 1
    return mark.hold(offset, record_at)


def finish(*holds: Hold) -> None:
    for hold in holds:
        hold.taken = hold.done = True


def test_a_topic_partition_equals_any_tuple_of_the_same() -> None:
    assert {TopicPartition("t", 1): 5}[("t", 1)] == 5  # type: ignore[index]


def test_nothing_read_commits_nothing() -> None:
    mark = Watermark("t", 0)
    assert mark.committable() is None
    assert mark.landed_until(1_000, None) is None


def test_the_oldest_unwritten_hold_stops_the_commit() -> None:
    mark = Watermark("t", 0)
    first, second = read(mark, 10, 100), read(mark, 11, 101)
    finish(second)
    assert mark.committable() == 10
    finish(first)
    assert mark.committable() == 12


def test_a_hold_that_is_only_taken_still_stops_the_commit_but_not_the_claim() -> None:
    mark = Watermark("t", 0)
    hold = read(mark, 10, 100)
    hold.taken = True
    assert mark.committable() == 10
    assert mark.landed_until(1_000, None) == 100


def test_the_claim_is_the_lowest_time_still_held_though_times_go_back() -> None:
    mark = Watermark("t", 0)
    ahead, behind = read(mark, 1, 900), read(mark, 2, 300)
    assert mark.landed_until(1_000, None) == 300
    finish(behind)
    assert mark.landed_until(1_000, None) == 900
    finish(ahead)
    assert mark.landed_until(1_000, None) == 900


def test_a_lower_time_within_a_hold_lowers_the_claim() -> None:
    mark = Watermark("t", 0)
    hold = read(mark, 1, 500)
    mark.extend(hold, 2, 200)
    assert mark.landed_until(1_000, None) == 200
    assert (hold.first, hold.last, hold.low) == (1, 2, 200)


def test_the_claim_never_goes_back_and_never_ahead_of_now() -> None:
    mark = Watermark("t", 0)
    finish(read(mark, 1, 500))
    assert mark.landed_until(400, None) == 400
    assert mark.landed_until(1_000, None) == 500
    read(mark, 2, 100)
    assert mark.landed_until(1_000, None) == 500
    assert mark.landed_until(50, 900) == 500


def test_a_drained_partition_has_landed_up_to_its_last_fetch() -> None:
    mark = Watermark("t", 0)
    hold = read(mark, 1, 500)
    assert mark.landed_until(1_000, 950) == 500, "something is still held"
    finish(hold)
    assert mark.landed_until(1_000, 950) == 950


def test_what_is_held_aside_stops_commit_and_claim_too() -> None:
    mark = Watermark("t", 0)
    early = mark.hold_aside(7, 70)
    late = mark.hold_aside(12, 120)
    events = [read(mark, 5, 50), read(mark, 9, 90)]
    assert (mark.committable(), mark.landed_until(1_000, None)) == (5, 50)
    finish(events[0])
    assert (mark.committable(), mark.landed_until(1_000, None)) == (7, 70)
    finish(early)
    assert (mark.committable(), mark.landed_until(1_000, None)) == (9, 90)
    finish(events[1], late)
    assert (mark.committable(), mark.landed_until(1_000, None)) == (10, 90)


def test_against_brute_force() -> None:
    rng = random.Random(5)
    for _ in range(200):
        mark, alive = Watermark("t", 0), list[Hold]()
        claimed = -1
        for offset in range(rng.randrange(1, 60)):
            at = 1_000 + offset * 10 + rng.choice([0, 0, -300, 200])
            if alive and rng.random() < 0.4:
                hold = rng.choice(alive)
                mark.top, mark.next = max(mark.top, at), offset + 1
                mark.extend(hold, offset, at)
            else:
                alive.append(read(mark, offset, at))
            while alive and rng.random() < 0.5:
                finish(alive.pop(rng.randrange(len(alive))))
            assert mark.committable() == min((hold.first for hold in alive), default=offset + 1)
            claimed = max(claimed, min((hold.low for hold in alive), default=mark.top))
            assert mark.landed_until(10**9, None) == claimed
