"""Histograms of scores that add up, and what distributions are judged by over a time. Windows in epoch seconds.

Buckets are logarithmic, as in DDSketch (Masson, Rim, Lee 2019): bucket i > 0 holds (GAMMA^(i - MIDDLE - 1),
GAMMA^(i - MIDDLE)], so that every score is known within its own 5 %; -i holds the same below zero, 0 zero itself. They
are never collapsed: whatever a Float32 can be has a bucket, so that histograms of any windows add up without error.
"""

import math
from typing import Final, NamedTuple

GAMMA: Final = 1.05
WIDTH: Final = math.log(GAMMA)
MIDDLE: Final = 2_200  # above what a bucket below 1 counts down to: the least Float32 is in bucket 82

Histogram = dict[int, int]  # scores by bucket


def bucket(score: float) -> int:
    """The bucket of a finite score."""
    if score == 0:
        return 0
    return int(math.copysign(MIDDLE + math.ceil(math.log(abs(score)) / WIDTH), score))


def bounds(number: int) -> tuple[float, float]:
    """The scores that a bucket holds: above the first and up to the second; below zero from the first, the second not
    included; of bucket 0 zero alone."""
    if number == 0:
        return 0.0, 0.0
    ends = GAMMA ** (abs(number) - MIDDLE - 1), GAMMA ** (abs(number) - MIDDLE)
    return ends if number > 0 else (-ends[1], -ends[0])


class SpreadCounts(NamedTuple):
    """Requests of one scoring component in one window: those with two scores or more, or none at all; and those whose
    scores are all the same, or all null."""

    window: int
    placement: str
    component: str
    requests: int
    constant: int
    missing: int


class Scores(NamedTuple):
    """What one scoring component gave over a time, without requests whose scores are all the same."""

    placement: str
    component: str
    since: int  # the first window with any
    versions: dict[str, int]  # requests by version
    scored: int
    score_sum: float
    buckets: Histogram

    @property
    def requests(self) -> int:
        return sum(self.versions.values())

    @property
    def mean(self) -> float:
        """nan of none."""
        return self.score_sum / self.scored if self.scored else math.nan


class Drops(NamedTuple):
    """Why one component dropped candidates over a time."""

    placement: str
    stage: str
    component: str
    since: int  # the first window with any
    reasons: dict[str, int]  # candidates by reason
    events: dict[str, int]  # those that dropped any, by reason


class ArmUsers(NamedTuple):
    """Distinct users of one arm of an experiment over a time."""

    experiment: str
    arm: str
    users: int
