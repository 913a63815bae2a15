"""How far a topic-partition may be committed, and how far it can be said to have landed."""

import heapq
from collections import deque
from typing import NamedTuple

import msgspec


class TopicPartition(NamedTuple):
    """Equal to, and hashing as, any other (topic, partition) tuple, so that client libraries' own types look it up."""

    topic: str
    partition: int


class Hold(msgspec.Struct, gc=False):
    """What something unwritten holds of one topic-partition: offsets (both inclusive) and its lowest record time (ms).

    Holds outlive the bytes they stand for by as long as an older one is open, so they are kept this small.
    """

    topic: str
    first: int
    last: int
    low: int
    taken: bool = False  # in a batch: claims that go out with that batch may pass it
    done: bool = False  # written: commits may pass it


class _Lane:
    """Holds in the order of their offsets: O(1) a hold where record times ascend."""

    def __init__(self) -> None:
        self._by_offset: deque[Hold] = deque()
        self._by_time: deque[Hold] = deque()
        self._top = -1  # highest record time with which a hold began
        self._early: list[tuple[int, int, Hold]] = []  # a heap: record times below those of earlier holds
        self._pushes = 0

    def add(self, hold: Hold) -> None:
        self._by_offset.append(hold)
        self._by_time.append(hold)
        if hold.low < self._top:
            self.lowered(hold)
        else:
            self._top = hold.low

    def lowered(self, hold: Hold) -> None:
        """Its record time is not where its place in the lane would have it."""
        self._pushes += 1
        heapq.heappush(self._early, (hold.low, self._pushes, hold))

    def first(self) -> int | None:
        """The first offset of the oldest hold that is not done."""
        queue = self._by_offset
        while queue and queue[0].done:
            queue.popleft()
        return queue[0].first if queue else None

    def lowest(self) -> int | None:
        """The lowest record time of the holds that are not taken."""
        by_time, early = self._by_time, self._early
        while by_time and by_time[0].taken:
            by_time.popleft()
        while early and early[0][2].taken:
            heapq.heappop(early)
        if not by_time:
            return None
        # Behind the oldest hold, a lower time is only in the heap: every other one was the highest of its moment.
        return min(by_time[0].low, early[0][0]) if early else by_time[0].low


class Watermark:
    """What is held of one topic-partition."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.next: int | None = None  # the next offset to read; None until something was read
        self.top = -1  # highest record time read, ms
        self.claimed = -1  # highest landed_until said so far, ms
        self._main = _Lane()
        self._aside = _Lane()

    def hold(self, offset: int, record_at: int) -> Hold:
        """Hold everything from this record on. Call in the order of offsets."""
        hold = Hold(self.topic, offset, offset, record_at)
        self._main.add(hold)
        return hold

    def hold_aside(self, offset: int, record_at: int) -> Hold:
        """The same for what is found in a pass of its own: in the order of offsets among themselves."""
        hold = Hold(self.topic, offset, offset, record_at)
        self._aside.add(hold)
        return hold

    def extend(self, hold: Hold, offset: int, record_at: int) -> None:
        """A further record of what a hold of the first kind stands for."""
        hold.last = offset
        if record_at < hold.low:
            hold.low = record_at
            self._main.lowered(hold)

    def committable(self) -> int | None:
        """The first offset of the oldest unwritten hold, else the next offset to read; None if nothing was read."""
        one, two = self._main.first(), self._aside.first()
        if one is None or two is None:
            return (self.next if two is None else two) if one is None else one
        return min(one, two)

    def landed_until(self, now: int, drained_at: int | None) -> int | None:
        """The time (ms) below which everything read has been taken for landing; never ahead of now, never back.

        drained_at: when the fetch was sent that showed that there was nothing more to read; None if there may be.
        """
        held = [low for low in (self._main.lowest(), self._aside.lowest()) if low is not None]
        until = min(held) if held else self.top if drained_at is None else drained_at
        self.claimed = max(self.claimed, min(until, now))
        return self.claimed if self.claimed >= 0 else None
