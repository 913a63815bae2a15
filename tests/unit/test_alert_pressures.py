"""Rules that change what is served more than before."""

from collections.abc import Callable, Iterator

import pytest

from schemas.alerts import AlertCounts, PlacementCounts, PressureCounts, SlotCounts
from streams.alerts.judge import judge
from streams.alerts.model import Signal
from streams.alerts.signals import CountedSignals
from streams.alerts.thresholds import Thresholds

T = 1_700_000_000
N = 70  # windows: history, gap and a few more
SINCE = N - 3  # from this one on it is otherwise
REQUESTS, SLOTS = 20, 400  # of a window


def counts(pressure: Callable[[int], float], *, windows: int = N, requests: int = REQUESTS) -> AlertCounts:
    """Of the slots `new` takes as much as the pressure is, and `old` a fifth."""
    made = AlertCounts([T + 10 * number for number in range(windows)], [], [], [], [], [], [])
    for number, window in enumerate(made.windows):
        share = pressure(number)
        made.placements.append(PlacementCounts(window, "home", requests, requests, 0, 0, 0, 0))
        made.pressures.append(PressureCounts(window, "home", requests, share * requests, SLOTS))
        made.slots.append(SlotCounts(window, "home", "old", SLOTS // 5))
        if share:
            made.slots.append(SlotCounts(window, "home", "new", int(share * SLOTS)))
    return made


def signals(found: AlertCounts) -> Iterator[Signal]:
    told = CountedSignals(found, Thresholds()).at(found.windows[-1], [])
    return (each for each in told if each.definition.name == "RulePressure")


def changed(before: float, after: float) -> Callable[[int], float]:
    return lambda number: after if number >= SINCE else before


@pytest.mark.parametrize("before", [0, 0.25])
def test_pressure_that_jumps_pages_and_names_the_rule(before: float) -> None:
    (told,) = signals(counts(changed(before, 0.75)))
    assert dict(told.labels) == {"placement": "home"}
    assert told.total == 3 * REQUESTS
    assert told.text == {
        "value": "0.75", "baseline": "0.25" if before else "0.10", "rule": "new",
        "share_now": "75%", "share_before": "25%" if before else "0.0%",
    }  # fmt: skip
    assert told.definition.severity == "page"
    assert judge(told) == "b"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0.75, 0.75),  # it always was
        (0.6, 0.7),  # not much more
        (0, 0.15),  # a new rule that changes little
        (0.75, 0),  # no longer
    ],
)
def test_what_is_usual_or_little_is_not_told(before: float, after: float) -> None:
    (told,) = signals(counts(changed(before, after)))
    assert judge(told) == "g"


def test_without_a_past_or_with_few_requests_nobody_knows() -> None:
    (fresh,) = signals(counts(lambda number: 0.75, windows=20))
    assert judge(fresh) is None
    (thin,) = signals(counts(changed(0.1, 0.75), requests=5))
    assert judge(thin) is None
