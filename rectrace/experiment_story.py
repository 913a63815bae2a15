"""Experiments: do the arms have the users planned for them, and what do they do? Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from rectrace.changed_facts import NONE, Amount
from rectrace.changed_metrics import Metric
from rectrace.slicing import FEW, Q, Slice, Verdict, compared, measure
from streams.alerts.experiments import STRANGE
from streams.detect.proportion import Interval
from streams.detect.scan import benjamini_hochberg
from streams.detect.srm import MAX_P, MIN_EXPECTED, MIN_USERS, mismatch
from streams.detect.tails import two_sided

CONTROL: Final = "control"
UNLIKELY: Final = 0.05  # what a 95 % interval leaves to chance
State = Literal["no plan", "too few users", "fits", "mismatch"]


@dataclass(frozen=True)
class Split:
    """Whether the arms have the users planned for them. planned: shares, empty without a plan; strange: users of arms
    that nobody planned; p: of chi-square, where there are users enough."""

    state: State
    users: Mapping[str, int]
    planned: Mapping[str, float]
    strange: int = 0
    p: float | None = None

    @property
    def total(self) -> int:
        """Users."""
        return sum(self.users.values())

    @property
    def says(self) -> str:
        """The state in a sentence."""
        if self.state == "no plan":
            return (
                "No split is planned (setting experiments): whether the arms have the users they should is not tested."
            )
        if self.state == "too few users":
            least = f"{MIN_USERS:,} users, {MIN_EXPECTED:.0f} in each arm"
            return f"{self.total:,} users are too few to test the split: it takes {least}."
        strange = f" {self.strange:,} users are in arms that nobody planned." if self.strange else ""
        p = f" (p = {self.p:.2g})" if self.p is not None else ""
        if self.state == "fits":
            return f"The arms have the users planned for them{p}.{strange}"
        return f"The arms do not have the users planned for them{p}: do not read the results.{strange}"


@dataclass(frozen=True)
class Comparison:
    """A metric of one arm against the control, of all requests or of those with some value. differs: by so much more,
    with its 95 % interval where there is one."""

    metric: Metric
    arm: str
    value: str  # that the requests have; empty: all
    mine: Amount
    control: Amount
    requests: tuple[float, float]  # of the arm, of the control
    differs: float
    interval: Interval | None
    z: float
    verdict: Verdict | Literal["differs"] = ""

    @property
    def few(self) -> bool:
        """Too few requests to say anything."""
        return min(self.requests) < FEW


def split(users: Mapping[str, int], plan: Mapping[str, float] | None) -> Split:
    """Users by arm against planned weights. It is looked at again and again: p must be below srm.MAX_P."""
    if not plan:
        return Split("no plan", users, {})
    weights = sum(plan.values())
    planned = {arm: weight / weights for arm, weight in plan.items()}
    expected = {arm: count for arm, count in users.items() if arm in plan}
    strange = sum(users.values()) - sum(expected.values())
    found = mismatch(expected, plan, max_p=float("inf"))
    if strange >= STRANGE * max(sum(users.values()), 1) and sum(users.values()) >= MIN_USERS:
        return Split("mismatch", users, planned, strange, found.p if found else None)
    if found is None:
        return Split("too few users", users, planned, strange)
    return Split("mismatch" if found.p < MAX_P else "fits", users, planned, strange, found.p)


def control_of(arms: Mapping[str, float], plan: Mapping[str, float] | None, given: str = "") -> str:
    """The arm that others are compared with: the one that is given, `control`, the first that is planned, else the one
    with most requests."""
    wanted = [given, CONTROL, *(plan or {})]
    return next((arm for arm in wanted if arm in arms), max(arms, key=lambda arm: (arms[arm], arm), default=""))


def comparisons(metric: Metric, found: Sequence[Slice], control: str) -> list[Comparison]:
    """Of slices by arm, or by arm and another value: every arm against the control, value by value, not judged yet."""
    held = {(each.values[0], each.values[1] if len(each.values) > 1 else ""): each for each in found}
    told = []
    for (arm, value), each in sorted(held.items()):
        other = held.get((control, value))
        if arm in (control, NONE) or other is None or (differs := compared(metric, each, other)) is None:
            continue
        mine, theirs = measure(metric, each), measure(metric, other)
        if mine is None or theirs is None:
            continue
        requests = each.pair.now.requests, other.pair.now.requests
        told.append(Comparison(metric, arm, value, mine, theirs, requests, *differs))
    return told


def judged(told: Sequence[Comparison]) -> list[Comparison]:
    """With verdicts: differences by more than chance, of all of these together (Benjamini and Hochberg)."""
    p_values = {number: two_sided(each.z) for number, each in enumerate(told) if not each.few}
    passing = benjamini_hochberg(p_values, Q)
    return [_judged(each, passed=number in passing) for number, each in enumerate(told)]


def by_chance(told: Sequence[Comparison]) -> str:
    """How many comparisons, and what to expect of them if no arm did anything."""
    tested = sum(not each.few for each in told)
    few = len(told) - tested
    left_out = f", and {few:,} more of too few requests" if few else ""
    if tested == 0:
        return f"Nothing is compared{left_out}."
    return (
        f"{_count(tested)}{left_out}. If the arms did nothing, about {tested * UNLIKELY:.1f} of the intervals would "
        f"miss 0 by chance alone; a verdict allows for that (Benjamini and Hochberg over all of them, q = {Q:.0%})."
    )


def _count(tested: int) -> str:
    return "One comparison" if tested == 1 else f"{tested:,} comparisons"


def _judged(each: Comparison, *, passed: bool) -> Comparison:
    if each.few:
        return replace(each, verdict="few requests")
    if not passed:
        return each
    if each.metric.more_is_worse is None:
        return replace(each, verdict="differs")
    return replace(each, verdict="worse" if (each.z > 0) == each.metric.more_is_worse else "better")
