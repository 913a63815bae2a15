"""pending, firing, resolved: one window after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from schemas.alerts import STALE, AlertState, Change
from streams.alerts.judge import judge
from streams.alerts.machine import FORGET_S, step
from streams.alerts.model import Definition, Kind, Signal
from streams.alerts.text import describe
from streams.detect.proportion import wilson
from tests.support.alert_store import SHARE

T = 1_700_000_000
HOME = {"placement": "home"}


class Run:
    """A machine and what it told, window after window."""

    def __init__(self, definition: Definition = SHARE) -> None:
        self.definition = definition
        self.states: dict[str, AlertState] = {}
        self.changes: list[Change] = []
        self.window = T - 10

    def see(self, *bad: int | None, late: bool = False) -> "Run":
        """So many bad requests of 100 in each of the next windows; None: nothing is known."""
        for each in bad:
            self.judge([] if each is None else [Signal(self.definition, HOME, each, 100)], late=late)
        return self

    def compare(self, *pairs: tuple[float, float | None]) -> "Run":
        for value, baseline in pairs:
            self.judge([Signal(self.definition, HOME, total=100, value=value, baseline=baseline)])
        return self

    def judge(self, signals: Sequence[Signal], late: bool = False) -> None:
        self.window += 10
        self.states, changes = step(self.states, self.window, signals, describe, late=late)
        self.changes += changes

    @property
    def told(self) -> list[tuple[str, int]]:
        return [(change.status, change.state.began) for change in self.changes if change.told]

    @property
    def state(self) -> AlertState:
        (state,) = self.states.values()
        return state


def test_two_bad_windows_of_three_fire_and_three_good_ones_resolve() -> None:
    run = Run().see(0, 0, 50)
    assert (run.state.status, run.told) == ("pending", [])
    run.see(0, 50)
    assert run.told == [("firing", T + 20)]
    run.see(0, 0)
    assert run.state.status == "firing"
    run.see(0)
    assert run.states == {}
    assert run.told == [("firing", T + 20), ("resolved", T + 20)]
    assert run.changes[-1].ends_at == run.window + 10


def test_what_is_bad_once_passes_without_a_word() -> None:
    run = Run().see(50, 0, 0, 0)
    assert (run.states, run.changes) == ({}, [])


def test_it_began_with_the_first_of_the_windows_that_count() -> None:
    run = Run().see(50, 0, 0, 50, 50)
    assert run.told == [("firing", T + 30)]


def test_one_good_window_does_not_resolve_and_one_between_starts_the_count_again() -> None:
    definition = replace(SHARE, clear=0.05)
    run = Run(definition).see(50, 50, 0, 0, 8, 0, 0)  # 8 %: neither above 10 % nor below 5 %
    assert run.state.status == "firing"
    assert run.see(0).told == [("firing", T), ("resolved", T)]


def test_nothing_known_changes_nothing_until_it_is_stale() -> None:
    run = Run().see(50, 50, *[None] * (STALE - 1))
    assert run.state.status == "firing"
    run.see(0, 50)
    run.see(*[None] * STALE)
    assert run.states == {}
    assert run.changes[-1].why == "no data any more"
    assert Run().see(50, *[None] * STALE).changes == []


def test_what_is_judged_every_30_windows_ends_by_its_own_patience() -> None:
    slow = replace(SHARE, needed=3, of=3, every=30, stale=100)
    run = Run(slow)
    run.window = T - T % 300 - 20  # the next window ends a slot
    for bad in (50, 50, 50):
        run.see(bad, *[None] * 29)
    assert (run.state.status, run.state.idle) == ("firing", 29)
    assert run.told == [("firing", T - T % 300 - 300)]  # the start of the slot that was the first bad one
    run.see(*[None] * 70)
    assert run.state.status == "firing"
    run.see(None)
    assert run.states == {}


def test_a_definition_says_in_which_windows_it_is_judged() -> None:
    due = [window for window in range(0, 900, 10) if replace(SHARE, every=30, stale=100).due(window)]
    assert due == [290, 590, 890]
    assert all(SHARE.due(window) for window in range(0, 50, 10))


def test_patience_must_be_longer_than_the_time_between_two_verdicts() -> None:
    with pytest.raises(ValueError, match="stale 30 must be more than every, which is 30"):
        replace(SHARE, every=30)


def test_too_little_traffic_is_no_data() -> None:
    run = Run()
    for _ in range(5):
        run.judge([Signal(SHARE, HOME, bad=9, total=9)])
    assert run.states == {}


def test_late_windows_page_nobody_and_what_goes_on_does() -> None:
    run = Run().see(50, 50, 50, late=True)
    assert run.state.status == "firing"
    assert [(change.status, change.told) for change in run.changes] == [("firing", False)]
    assert run.see(50).told == [("firing", T)]
    assert run.see(50, 50).told == [("firing", T)]


def test_what_was_over_before_it_was_not_late_any_more_is_told_to_nobody() -> None:
    run = Run().see(50, 50, late=True).see(0, 0, 0)
    assert run.told == []
    assert [change.status for change in run.changes] == ["firing", "resolved"]


def test_an_end_that_is_seen_late_is_told() -> None:
    run = Run().see(50, 50).see(0, 0, 0, late=True)
    assert [status for status, _ in run.told] == ["firing", "resolved"]


def test_figures_are_of_the_newest_bad_window() -> None:
    run = Run().see(50, 60, 0)
    assert (run.state.bad, run.state.total, run.state.threshold) == (60, 100, 0.1)
    assert run.state.annotations["summary"] == "60% of 100 at home"


def test_an_incident_keeps_its_severity_whatever_the_thresholds_say_later() -> None:
    run = Run().see(50, 50)
    run.definition = replace(SHARE, severity="info")
    assert run.see(50).state.severity == "page"


def test_one_signal_twice_counts_once() -> None:
    run = Run()
    run.judge([Signal(SHARE, HOME, 50, 100), Signal(SHARE, HOME, 50, 100)])
    assert len(run.state.recent) == 1


@pytest.fixture
def shift() -> Definition:
    return Definition("Shift", "ticket", Kind.RATIO_ABOVE, 2.0, floor=50, compares=True)


def test_what_it_is_compared_with_is_from_before_it_began(shift: Definition) -> None:
    run = Run(shift).compare((100, 100), (300, 100), (300, 280), (300, 300), (300, None))
    assert run.told == [("firing", T + 10)]
    assert run.state.status == "firing"
    assert run.compare((120, 300), (120, 300), (120, 300)).states == {}


def test_after_hours_the_new_level_is_normal(shift: Definition) -> None:
    run = Run(shift).compare((300, 100), *[(300, 300)] * (FORGET_S // 10 - 1))
    assert run.state.status == "firing"
    run.compare(*[(300, 300)] * 3)
    assert run.states == {}
    assert "taken for normal" in run.changes[-1].why


def test_without_history_a_comparison_is_mute(shift: Definition) -> None:
    assert Run(shift).compare((300, None), (900, None)).states == {}


@pytest.mark.parametrize(
    ("kind", "signal", "verdict"),
    [
        (Kind.SHARE, {"bad": 3, "total": 20}, "h"),  # 15 %, but who knows with 20
        (Kind.SHARE, {"bad": 60, "total": 400}, "b"),
        (Kind.SHARE, {"bad": 40, "total": 400}, "g"),
        (Kind.SHARE, {"bad": 0, "total": 0}, None),
        (Kind.COUNT, {"bad": 0.1}, "b"),
        (Kind.COUNT, {"bad": 0.0}, "g"),
        (Kind.ABOVE, {"value": 0.2}, "b"),
        (Kind.ABOVE, {"value": 0.095}, "h"),
        (Kind.ABOVE, {"value": 0.09}, "g"),
        (Kind.ABOVE, {}, None),
        (Kind.RATIO_BELOW, {"value": 0.5, "baseline": 10.0}, "b"),
        (Kind.RATIO_BELOW, {"value": 3.0, "baseline": 10.0}, "h"),
        (Kind.RATIO_BELOW, {"value": 6.0, "baseline": 10.0}, "g"),
        (Kind.RATIO_BELOW, {"value": 0.0, "baseline": 0.0}, None),
        (Kind.RATIO_BELOW, {"value": 0.0}, None),
    ],
)
def test_verdicts(kind: Kind, signal: Mapping[str, Any], verdict: str | None) -> None:
    assert judge(Signal(Definition("Any", "info", kind, 0.1), {}, **signal)) == verdict


def test_a_change_that_is_many_times_as_much_and_still_nothing_is_good(shift: Definition) -> None:
    assert judge(Signal(shift, {}, value=30, baseline=10)) == "g"
    assert judge(Signal(shift, {}, value=300, baseline=100)) == "b"
    assert judge(Signal(shift, {}, value=180, baseline=100)) == "h"


def test_wilson_by_the_textbook() -> None:
    assert wilson(10, 100, z=1.96).low == pytest.approx(0.0552, abs=1e-4)
    assert wilson(0, 10).low == 0
    assert wilson(0, 0).low == 0


def test_of_and_needed_must_fit() -> None:
    with pytest.raises(ValueError, match="needed 4 must be from 1 to of, which is 3"):
        replace(SHARE, needed=4)
