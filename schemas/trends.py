"""What alerts are judged by that look at more than ten minutes. Windows and spans in seconds."""

from typing import Final, NamedTuple

SLOT_S: Final = 300


class SpentCounts(NamedTuple):
    """Requests of one placement over several spans that end together, in the order in which they were asked for."""

    placement: str
    known: list[int]  # windows of which anything is known, of any placement
    bad: list[int]  # no response, an empty one or the fallback
    total: list[int]


class BadCounts(NamedTuple):
    """Requests, and those of them that went wrong; see the view segment_metrics."""

    requests: int
    responded: int
    empty: int
    short: int
    fallback: int
    failed: int


class SegmentCounts(NamedTuple):
    """Requests of one segment (empty: of all) at one placement, in one of several times."""

    placement: str
    segment: str  # name=value
    time: int  # 0: the usual time; from 1 on the slots after it
    since: int  # the first window with any
    counts: BadCounts


class ComponentCounts(NamedTuple):
    """Calls of one component at one placement, in one of two times; see the views stage_metrics and score_metrics."""

    placement: str
    stage: str
    component: str
    time: int  # 0: the usual time; 1: the slot that is judged
    since: int  # the first window with any
    calls: int
    failed: int
    zero_out: int
    scored: int  # requests with scores that could differ
    degenerate: int  # of those, with one score for all candidates, or none


class WeekCounts(NamedTuple):
    """Requests at one placement in one slot, so many weeks ago."""

    weeks: int  # 0: now
    placement: str  # empty where nothing was asked
    counts: BadCounts
