"""Rules that take over what is served."""

from collections.abc import Callable, Iterator

import pytest

from schemas.alerts import AlertCounts, PlacementCounts, SlotCounts
from streams.alerts.judge import judge
from streams.alerts.model import Signal
from streams.alerts.signals import CountedSignals
from streams.alerts.thresholds import Thresholds

T = 1_700_000_000
N = 70  # windows: history, gap and a few more
SINCE = N - 3  # from this one on the rule takes more
SLOTS = 400  # of a window


def counts(taken: Callable[[int], int], windows: int = N, slots: int = SLOTS) -> AlertCounts:
    made = AlertCounts([T + 10 * number for number in range(windows)], [], [], [], [], [])
    for number, window in enumerate(made.windows):
        made.placements.append(PlacementCounts(window, "home", 20, 20, 0, 0, 0, 0))
        made.slots.append(SlotCounts(window, "home", "", taken(number), slots))
        if taken(number):
            made.slots.append(SlotCounts(window, "home", "house-brand", taken(number)))
    return made


def signals(found: AlertCounts) -> Iterator[Signal]:
    told = CountedSignals(found, Thresholds()).at(found.windows[-1], [])
    return (each for each in told if each.definition.name == "RuleTakesOver")


def changed(before: int, after: int) -> Callable[[int], int]:
    return lambda number: after if number >= SINCE else before


@pytest.mark.parametrize("before", [0, 80])
def test_a_rule_that_takes_most_slots_pages_and_is_named(before: int) -> None:
    (told,) = signals(counts(changed(before, 320)))
    assert dict(told.labels) == {"placement": "home", "rule": "house-brand"}
    assert told.total == 3 * SLOTS
    assert told.text == {"value": "80%", "baseline": "20%" if before else "0.0%"}
    assert told.definition.severity == "page"
    assert judge(told) == "b"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (320, 320),  # it always did
        (200, 280),  # not much more than it did
        (0, 80),  # a new rule takes a fifth
        (80, 0),  # it no longer does
    ],
)
def test_what_is_usual_or_little_is_not_told(before: int, after: int) -> None:
    (told,) = signals(counts(changed(before, after)))
    assert judge(told) == "g"


def test_without_a_past_or_with_few_slots_nobody_knows() -> None:
    (fresh,) = signals(counts(lambda number: 320, windows=20))
    assert judge(fresh) is None
    (thin,) = signals(counts(changed(1, 16), slots=20))
    assert judge(thin) is None


def test_no_rule_no_word() -> None:
    assert not list(signals(counts(lambda number: 0)))
