"""Components that go wrong in a small share of their calls: from counts to what is told, and when it is over."""

from functools import partial
from typing import Final

import pytest

from schemas.trends import SLOT_S, ComponentCounts
from streams.alerts.components import Components, ComponentSignals
from streams.alerts.segments import LEAST_USUAL_S, USUAL_S
from streams.alerts.thresholds import Thresholds
from tests.support.looks import Looks

T = 1_700_000_100 // SLOT_S * SLOT_S - 10  # the last window of five minutes
HOURS = T - USUAL_S


def ranker(
    time: int, calls: int, *, failed: float = 0.0, degenerate: float = 0.0, since: int = HOURS
) -> ComponentCounts:
    wrong = round(calls * failed), 0, calls, round(calls * degenerate)
    return ComponentCounts("home", "scoring", "ranker", time, since, calls, *wrong)


def source(time: int, calls: int, empty: float, stage: str = "retrieval") -> ComponentCounts:
    return ComponentCounts("home", stage, "ann", time, HOURS, calls, 0, round(calls * empty), 0, 0)


USUAL = ranker(0, 70_000, failed=0.002)


Told: Final = partial(Looks, ComponentSignals, T)
BAD = [USUAL, ranker(1, 1_500, failed=0.03)]
GOOD = [USUAL, ranker(1, 1_500, failed=0.003)]
NAME = "ComponentWorse placement=home stage=scoring component=ranker metric"


def test_a_component_that_fails_for_a_few_is_told_and_ends() -> None:
    told = Told()
    assert told.look(BAD, BAD, GOOD, BAD, BAD) == []
    assert told.look(BAD) == [f"firing {NAME}=failed"]
    state = next(state for state in told.states.values() if state.told)
    assert state.severity == "ticket"
    assert state.annotations["summary"] == (
        "ranker (scoring) at home times out or fails in 3.0% of its calls (45 of 1,500 in five minutes); usual are "
        "0.2% (of the hours before)."
    )
    assert told.look(GOOD, GOOD) == [f"resolved {NAME}=failed"]


def test_one_score_for_all_candidates_of_a_few_requests_is_told() -> None:
    bad = [ranker(0, 70_000), ranker(1, 1_500, degenerate=0.03)]
    assert Told().look(bad, bad, bad) == [f"firing {NAME}=degenerate"]


def test_a_source_that_finds_nothing_for_a_few_is_told_and_a_filter_that_leaves_nothing_is_not() -> None:
    bad = [source(0, 70_000, 0.1), source(1, 1_500, 0.15)]
    assert Told().look(bad, bad, bad) == [
        "firing ComponentWorse placement=home stage=retrieval component=ann metric=zero_out"
    ]
    assert Told().look(*[[row._replace(stage="filtering") for row in bad]] * 5) == []


@pytest.mark.parametrize(
    "rows",
    [
        [USUAL, ranker(1, 1_500, failed=0.011)],  # less than 1 % more
        [USUAL, ranker(1, 150, failed=0.03)],  # too few calls
        [ranker(0, 70_000, failed=0.02), ranker(1, 210, failed=0.038)],  # may be chance
        [ranker(0, 70_000, failed=0.1), ranker(1, 1_500, failed=0.02)],  # better than usual
        [ranker(0, 8_000, since=T - LEAST_USUAL_S), ranker(1, 1_500, failed=0.5)],  # what is usual is not known yet
        [ranker(1, 1_500, failed=0.5)],
        [USUAL],
        [],
    ],
)
def test_what_is_little_or_chance_or_not_known_says_nothing(rows: list[ComponentCounts]) -> None:
    assert Told().look(*[rows] * 5) == []


def test_other_thresholds_of_a_component() -> None:
    said = {"ComponentWorse": {"components": {"ranker": {"threshold": 0.05}}}}
    assert Told(said).look(BAD, BAD, BAD) == []
    assert Told({"ComponentWorse": {"enabled": False}}).look(BAD, BAD, BAD) == []


def test_it_is_read_for_the_slots_that_end_within_the_windows() -> None:
    asked = []

    class Store:
        def components(self, since: int, usual_until: int, first: int, last: int) -> list[ComponentCounts]:
            asked.append((since, usual_until, first, last))
            return []

    Components(Store(), Thresholds()).load(T - 20, T + 20)
    end = T + 10
    assert asked == [(end - 3 * SLOT_S - USUAL_S, end - 3 * SLOT_S, end - SLOT_S, T)]
