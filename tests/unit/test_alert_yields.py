"""What a component lets through, against the time before."""

from collections.abc import Callable, Iterable

import pytest

from schemas.alerts import AlertCounts, AlertState, PlacementCounts, StageCounts
from streams.alerts.judge import judge
from streams.alerts.model import Signal
from streams.alerts.signals import CountedSignals
from streams.alerts.thresholds import Thresholds
from streams.alerts.yields import Flow, compared, flow

T = 1_700_000_000
N = 70  # windows: history, gap and a few more
LAST = T + 10 * (N - 1)
SINCE = N - 3  # from this one on it is wrong
FILTER = {"placement": "home", "stage": "filtering", "component": "eligibility"}


def counts(n_in: Callable[[int], int], n_out: Callable[[int], int], n: int = 100, failed: int = 0) -> AlertCounts:
    made = AlertCounts([T + 10 * number for number in range(N)], [], [], [], [], [], [])
    for number, window in enumerate(made.windows):
        made.placements.append(PlacementCounts(window, "home", n, n, 0, 0, 0, 0))
        made.stages.append(
            StageCounts(window, "home", "filtering", "eligibility", n, failed, 0, n_in(number), n_out(number))
        )
    return made


def signal(found: AlertCounts, active: Iterable[AlertState] = ()) -> Signal | None:
    signals = CountedSignals(found, Thresholds()).at(LAST, list(active))
    return next((each for each in signals if each.definition.name == "YieldShift"), None)


def changed(before: int, after: int) -> Callable[[int], int]:
    return lambda number: after if number >= SINCE else before


def test_a_filter_that_lets_less_through_is_told_of() -> None:
    told = signal(counts(changed(10_000, 10_000), changed(8_000, 2_000)))
    assert told is not None
    assert dict(told.labels) == FILTER
    assert (told.value, told.baseline) == (0.2, 0.8)
    assert told.text == {"percall": "20", "before": "80"}
    assert judge(told) == "b"


@pytest.mark.parametrize(
    ("n_in", "n_out"),
    [
        (changed(10_000, 10_000), changed(8_000, 7_000)),  # a little less
        (changed(10_000, 2_000), changed(8_000, 1_600)),  # it is given less: that is not its fault
        (changed(10_000, 40_000), changed(1_000, 1_000)),  # it is given more than it can use, as a cutoff
        (changed(10_000, 4_000), changed(1_000, 1_000)),  # a cutoff that is given less lets more through
    ],
)
def test_what_is_no_fault_of_the_component_is_not(n_in: Callable[[int], int], n_out: Callable[[int], int]) -> None:
    told = signal(counts(n_in, n_out))
    assert told is not None
    assert judge(told) == "g"


def test_once_it_began_it_is_compared_with_the_time_before_that() -> None:
    low = counts(lambda number: 10_000, lambda number: 2_000)  # for longer than the history is
    active = AlertState("YieldShift", FILTER, "ticket", "firing", T, [(T, "b")], frozen=0.8)
    told = signal(low, [active])
    assert told is not None
    assert judge(told, active.frozen) == "b"
    fresh = signal(low)
    assert fresh is not None
    assert judge(fresh) == "g"


def test_too_few_calls_are_no_data() -> None:
    told = signal(counts(changed(50, 50), changed(40, 0), n=1))
    assert told is not None
    assert (told.total, judge(told)) == (30, None)  # all of the windows that are pooled at most


def test_a_source_yields_candidates_for_each_call_that_did_not_fail() -> None:
    rows = {T: StageCounts(T, "home", "retrieval", "ann", 10, 4, 5, 0, 90)}
    assert flow(rows, [T]) == Flow(1, 6, 6, 90)
    assert flow(rows, [T]).rate == 15


def test_as_many_windows_are_pooled_as_are_enough() -> None:
    rows = {at: StageCounts(at, "home", "filtering", "f", 60, 0, 0, 100, at - T) for at in (T, T + 10, T + 20)}
    windows = [T, T + 10, T + 20]
    assert flow(rows, windows, 60) == Flow(1, 60, 100, 20)
    assert flow(rows, windows, 61) == Flow(2, 120, 200, 30)
    assert flow(rows, [*windows, T + 30]) == Flow(3, 180, 300, 30)


def test_what_was_nothing_before_cannot_be_less() -> None:
    nothing = Flow(60, 100, 100, 0)
    assert compared(Flow(1, 1, 10, 5), nothing) == 0.5
    assert compared(Flow(0, 0, 0, 0), nothing) == 0
