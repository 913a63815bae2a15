"""The times that decisions go by: a record's time, and the grace clock of a partition."""

from collections.abc import Iterable
from typing import Final, NamedTuple

LOG_APPEND_TIME: Final = 1
MAX_AHEAD_MS: Final = 5_000
MAX_GAP_MS: Final = 2_000
# A partition whose last answer is older than this is not known to be drained: more may have come since.
STALE_MS: Final = 5_000
NEVER: Final = -(2**62)


class Position(NamedTuple):
    """What the consumer knows of one topic-partition. Times in epoch ms, of the last successful fetch."""

    position: int  # next offset to fetch: past transaction markers, which are no records
    highwater: int  # the partition's end as that fetch saw it
    delivered: int  # next offset after the last record handed over; 0 if none was
    sent_at: int
    answered_at: int


class TopicTime(NamedTuple):
    """One topic's part of a partition number: its highest record time, and whether all of it was read."""

    top: int
    drained: bool
    answered_at: int


def believable(timestamp: int, timestamp_type: int | None, now: int, late_horizon_ms: int) -> bool:
    """True if a record time may be used: always for the broker's own; a producer's only near enough to now."""
    return timestamp_type == LOG_APPEND_TIME or now - late_horizon_ms <= timestamp <= now + MAX_AHEAD_MS


class GraceClock:
    """The time of one partition number, by which open requests become due: never the wall's.

    `event` is the record time that every topic still being read has reached. `live` counts only while every topic
    answers, at most 2 s between two answers: a paused reader, an outage or a rebalance lets nothing become due. It
    counts for decisions only while everything is drained, because then `event` stands still.
    """

    def __init__(self) -> None:
        self.event = NEVER
        self.live = 0
        self.drained = False
        self._answered: int | None = None

    def read(self, topics: Iterable[TopicTime]) -> None:
        """Something was read: event time may have moved. Only topics not known to be drained count."""
        tops = [topic.top for topic in topics if not topic.drained]
        if tops:
            self.event = max(self.event, min(tops))

    def tick(self, topics: Iterable[TopicTime]) -> None:
        """The consumer reported; topics holds every topic of this partition number."""
        topics = list(topics)
        self.read(topics)
        self.drained = all(topic.drained for topic in topics)
        answered = min((topic.answered_at for topic in topics), default=0)
        if not answered:
            return
        if self._answered is not None:
            self.live += min(max(answered - self._answered, 0), MAX_GAP_MS)
        self._answered = answered

    def passed(self, event: int, live: int, span_ms: int) -> bool:
        """True if a span has passed since something that happened at (event, live) of this clock."""
        return self.event - event >= span_ms or (self.drained and self.live - live >= span_ms)
