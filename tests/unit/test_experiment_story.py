"""Experiments: the split of users, the control arm, and how many looks there were."""

from typing import Any

import pytest

from rectrace.experiment_story import by_chance, comparisons, control_of, judged, split
from rectrace.slicing import METRICS, slices

EQUAL = {"control": 1.0, "v2": 1.0}


@pytest.mark.parametrize(
    ("users", "plan", "state", "says"),
    [
        ({"control": 700, "v2": 300}, None, "no plan", "No split is planned (setting experiments)"),
        ({"control": 300, "v2": 300}, EQUAL, "too few users", "600 users are too few to test the split"),
        ({"control": 1_010, "v2": 990}, EQUAL, "fits", "The arms have the users planned for them (p = 0.65)."),
        # p = 0.0009: one look would reject it, many looks must not
        ({"control": 1_074, "v2": 926}, EQUAL, "fits", "The arms have the users planned for them (p = 0.00094)."),
        ({"control": 1_200, "v2": 800}, EQUAL, "mismatch", "do not have the users planned for them (p = 3.7e-19)"),
        ({"control": 1_200, "v2": 800}, {"control": 3, "v2": 2}, "fits", "(p = 1)"),
        ({"control": 1_000, "v2": 1_000, "v3": 30}, EQUAL, "mismatch", "30 users are in arms that nobody planned."),
        ({"control": 1_000, "v2": 1_000, "v3": 3}, EQUAL, "fits", "3 users are in arms that nobody planned."),
        ({}, EQUAL, "too few users", "0 users are too few"),
    ],
)
def test_the_split_of_users(users: dict[str, int], plan: dict[str, float] | None, state: str, says: str) -> None:
    told = split(users, plan)
    assert told.state == state
    assert says in told.says


@pytest.mark.parametrize(
    ("arms", "plan", "given", "control"),
    [
        ({"control": 1, "v2": 9}, None, "", "control"),
        ({"control": 1, "v2": 9}, None, "v2", "v2"),
        ({"control": 1, "v2": 9}, None, "v3", "control"),
        ({"a": 1, "b": 9}, {"a": 1.0, "b": 1.0}, "", "a"),
        ({"a": 1, "b": 9}, None, "", "b"),
        ({}, None, "", ""),
    ],
)
def test_the_arm_that_others_are_compared_with(
    arms: dict[str, float], plan: dict[str, float] | None, given: str, control: str
) -> None:
    assert control_of(arms, plan, given) == control


def row(arm: str, country: str, requests: int, empty: int) -> dict[str, Any]:
    return {
        "first": arm, "second": country, "is_now": 1, "requests": requests, "responded": requests, "empty": empty,
    }  # fmt: skip


def test_arms_against_the_control_value_by_value() -> None:
    rows = [
        row("control", "DE", 1_000, 10), row("v2", "DE", 1_000, 60), row("control", "FR", 1_000, 10),
        row("v2", "FR", 1_000, 12), row("control", "US", 90, 0), row("v2", "US", 1_000, 9), row("v2", "JP", 1_000, 9),
    ]  # fmt: skip
    told = judged(comparisons(METRICS["empty"], slices(rows, METRICS["empty"], 0.0), "control"))
    assert [(each.arm, each.value, each.verdict) for each in told] == [
        ("v2", "DE", "worse"), ("v2", "FR", ""), ("v2", "US", "few requests"),
    ]  # fmt: skip
    worse = told[0]
    assert worse.differs == pytest.approx(0.05)
    assert worse.interval is not None
    assert 0 < worse.interval.low < 0.05 < worse.interval.high
    assert by_chance(told) == (
        "2 comparisons, and 1 more of too few requests. If the arms did nothing, about 0.1 of the intervals would miss "
        "0 by chance alone; a verdict allows for that (Benjamini and Hochberg over all of them, q = 1%)."
    )
    assert by_chance([]) == "Nothing is compared."


def test_what_is_neither_good_nor_bad_differs() -> None:
    rows = [
        {"element": arm, "is_now": 1, "requests": 1_000, "judged": 1_000, "pressure": pressure}
        for arm, pressure in (("control", 200.0), ("v2", 400.0))
    ]
    (told,) = judged(comparisons(METRICS["pressure"], slices(rows, METRICS["pressure"], 0.0), "control"))
    assert told.differs == pytest.approx(0.2)
    assert told.verdict == "differs"
