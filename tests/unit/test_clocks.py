"""The grace clock: event time while reading, live time while everything is drained, never the wall's."""

from streams.clocks import GraceClock, TopicTime, believable

GRACE = 10_000


def topic(top: int, *, drained: bool = False, answered_at: int = 0) -> TopicTime:
    return TopicTime(top, drained, answered_at)


def test_event_time_is_that_of_the_slowest_topic_still_read() -> None:
    clock = GraceClock()
    clock.read([topic(50_000), topic(20_000)])
    assert clock.event == 20_000
    assert not clock.passed(15_000, 0, GRACE)
    assert clock.passed(10_000, 0, GRACE)


def test_an_idle_topic_beside_a_busy_one_holds_nothing_back() -> None:
    clock = GraceClock()
    clock.tick([topic(90_000), topic(1_000, drained=True, answered_at=5)])
    assert clock.event == 90_000


def test_a_topic_never_seen_holds_everything_back() -> None:
    clock = GraceClock()
    clock.tick([topic(90_000), topic(-1)])
    assert not clock.passed(0, 0, GRACE)


def test_event_time_does_not_go_back() -> None:
    clock = GraceClock()
    clock.read([topic(50_000)])
    clock.read([topic(50_000, drained=True), topic(30_000)])
    assert clock.event == 50_000


def test_live_time_counts_only_between_answers_and_at_most_two_seconds_a_gap() -> None:
    clock = GraceClock()
    for answered_at in (100_000, 101_000, 101_500, 141_500):  # the last after an outage of 40 s
        clock.tick([topic(0, drained=True, answered_at=answered_at)])
    assert clock.live == 1_000 + 500 + 2_000


def test_no_answer_no_live_time() -> None:
    clock = GraceClock()
    for _ in range(100):
        clock.tick([topic(0, drained=True, answered_at=100_000)])
    assert clock.live == 0


def test_live_time_waits_for_the_topic_that_answers_last() -> None:
    clock = GraceClock()
    clock.tick([topic(0, drained=True, answered_at=1_000), topic(0, drained=True, answered_at=1_000)])
    clock.tick([topic(0, drained=True, answered_at=2_500), topic(0, drained=True, answered_at=1_000)])
    assert clock.live == 0


def test_live_time_decides_only_while_all_is_drained() -> None:
    clock = GraceClock()
    for answered_at in range(1_000, 20_000, 1_000):
        clock.tick([topic(500, drained=True, answered_at=answered_at)])
    assert clock.passed(500, 0, GRACE)
    clock.tick([topic(500, answered_at=20_000)])
    assert not clock.passed(500, 0, GRACE)


def test_times_of_the_broker_are_believed_and_those_of_producers_near_now() -> None:
    now, horizon = 1_000_000, 1_000
    assert believable(0, 1, now, horizon)
    assert believable(now - 1_000, 0, now, horizon)
    assert not believable(now - 1_001, 0, now, horizon)
    assert believable(now + 5_000, 0, now, horizon)
    assert not believable(now + 5_001, 0, now, horizon)
    assert not believable(-1, 0, now, horizon)
