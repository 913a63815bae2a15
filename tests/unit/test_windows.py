"""The policy of what to seal, and when."""

from collections.abc import Mapping, Sequence

import pytest

from schemas.parts import WindowState
from streams.windows import Due, Plan, Windows

A, B = ("rectrace.stages", 0), ("rectrace.stages", 1)
HOUR, DAY = 3600.0, 86_400.0
PATIENCE, HORIZON = 300.0, 2 * DAY


def policy() -> Windows:
    return Windows(PATIENCE, HORIZON)


def sealed(window: int, rows: int, read: int, first: float, last: float | None = None) -> WindowState:
    return WindowState(window, rows, read, False, first, first if last is None else last)


def plan(
    states: Sequence[WindowState],
    landed: Mapping[tuple[str, int], int],
    *,
    now: float = 2_000.0,
    newest: int | None = None,
    windows: Windows | None = None,
    monotonic: float = 0.0,
) -> Plan:
    return (windows or policy()).plan(now, monotonic, landed, states, newest)


def windows_due(plan: Plan) -> list[int]:
    return [due.window for due in plan.due]


# Due


def test_a_window_is_due_when_every_partition_has_landed_past_its_end() -> None:
    states = [WindowState(1000, 5), WindowState(1010, 5)]
    assert windows_due(plan(states, {A: 1_010_000, B: 1_009_999})) == []
    assert windows_due(plan(states, {A: 1_010_000, B: 1_010_000})) == [1000]
    assert windows_due(plan(states, {A: 1_020_000, B: 1_099_000})) == [1000, 1010]


def test_windows_are_sealed_oldest_first() -> None:
    states = [WindowState(window, 1) for window in (1020, 1000, 1010)]
    assert windows_due(plan(states, {A: 2_000_000})) == [1000, 1010, 1020]


def test_a_partition_that_never_claimed_anything_has_not_landed() -> None:
    assert windows_due(plan([WindowState(1000, 5)], {A: 2_000_000, B: 0})) == []


def test_no_partitions_no_seal() -> None:
    decided = plan([WindowState(1000, 5)], {}, newest=900)
    assert (decided.due, decided.empty) == ([], None)


def test_a_vanished_partition_is_ignored() -> None:
    windows = policy()
    assert windows_due(plan([WindowState(1000, 5)], {A: 2_000_000, B: 900_000}, windows=windows)) == []
    assert windows_due(plan([WindowState(1000, 5)], {A: 2_000_000}, windows=windows)) == [1000]


def test_a_new_partition_is_waited_for() -> None:
    windows = policy()
    assert windows_due(plan([WindowState(1000, 5)], {A: 1_010_000}, windows=windows)) == [1000]
    states = [WindowState(1010, 5)]
    assert windows_due(plan(states, {A: 1_020_000, B: 0}, windows=windows, monotonic=1)) == []
    assert windows_due(plan(states, {A: 1_030_000, B: 1_020_000}, windows=windows, monotonic=2)) == [1010]


# Dirty


def test_a_dirty_window_waits_until_its_age_has_doubled() -> None:
    landed = {A: 10_000_000}
    state = sealed(1000, rows=6, read=5, first=1_030)
    assert windows_due(plan([state], landed, now=1_049.9)) == []
    assert plan([state], landed, now=1_050).due == [Due(1000, incomplete=False, again=True)]
    again = sealed(1000, rows=7, read=6, first=1_030, last=1_050)
    assert windows_due(plan([again], landed, now=1_069)) == []
    assert windows_due(plan([again], landed, now=1_070)) == [1000]


def test_a_trickle_of_late_events_costs_about_a_dozen_seals() -> None:
    seals, last, now = 0, 1_030.0, 1_030.0
    while now < 1_030 + HORIZON + HOUR:
        now += 5
        if plan([sealed(1000, rows=2, read=1, first=1_030, last=last)], {A: 10**9}, now=now).due:
            seals, last = seals + 1, now
    assert 10 <= seals <= 14


def test_a_backlog_sealed_a_day_late_is_corrected_at_once() -> None:
    state = sealed(1000, rows=6, read=5, first=1000 + DAY)
    assert windows_due(plan([state], {A: 10**9}, now=1020 + DAY)) == [1000]


def test_a_dirty_window_waits_for_a_partition_that_is_behind_again() -> None:
    state = sealed(1000, rows=6, read=5, first=1_030)
    assert windows_due(plan([state], {A: 10**9, B: 0}, now=9_000)) == []


def test_after_the_horizon_a_window_stays_as_it_is() -> None:
    state = sealed(1000, rows=6, read=5, first=1_030)
    at_the_horizon = plan([state], {A: 10**9}, now=1_030 + HORIZON)
    assert (windows_due(at_the_horizon), at_the_horizon.dirty) == ([1000], 1)
    after = plan([state], {A: 10**9}, now=1_031 + HORIZON)
    assert (windows_due(after), after.dirty) == ([], 0)


def test_a_window_never_sealed_is_due_however_old() -> None:
    assert windows_due(plan([WindowState(1000, 5)], {A: 10**12}, now=1000 + 10 * HORIZON)) == [1000]


def test_a_settled_window_is_left_alone() -> None:
    decided = plan([sealed(1000, rows=5, read=5, first=1_030)], {A: 10**9}, now=9_000)
    assert (decided.due, decided.dirty) == ([], 0)


# Patience


def stalled(windows: Windows, seconds: int, states: Sequence[WindowState], start: int = 0, step: int = 1) -> Plan:
    """Partition A goes on for so long, B does not; from second `start` on."""
    decided = plan(states, {A: start * 1000, B: 1_000_000}, windows=windows, monotonic=start)
    for second in range(start + step, start + seconds + 1, step):
        decided = plan(states, {A: 1_005_000 + second * 1000, B: 1_000_000}, windows=windows, monotonic=second)
    return decided


def test_a_partition_without_progress_is_left_out_after_patience() -> None:
    states = [WindowState(1000, 5), WindowState(1290, 5), WindowState(1300, 5)]
    assert windows_due(stalled(policy(), 299, states)) == []
    assert stalled(policy(), 300, states).due == [Due(1000, incomplete=True), Due(1290, incomplete=True)]


def test_a_partition_that_comes_back_makes_its_incomplete_windows_due() -> None:
    windows = policy()
    stalled(windows, 300, [])
    state = WindowState(1000, 5, 5, True, first_sealed_at=1_310, last_sealed_at=1_310)
    assert windows_due(plan([state], {A: 1_400_000, B: 1_005_000}, now=1_311, windows=windows, monotonic=301)) == []
    back = plan([state], {A: 1_400_000, B: 1_010_000}, now=1_311, windows=windows, monotonic=302)
    assert back.due == [Due(1000, incomplete=False, again=True)]


def test_progress_starts_patience_anew() -> None:
    windows = policy()
    stalled(windows, 200, [])
    plan([], {A: 1_205_000, B: 1_000_001}, windows=windows, monotonic=200)
    states = [WindowState(1000, 5)]
    for second in range(201, 500):
        assert plan(states, {A: second * 10_000, B: 1_000_001}, windows=windows, monotonic=second).due == []
    assert plan(states, {A: 10**9, B: 1_000_001}, windows=windows, monotonic=500).due == [Due(1000, incomplete=True)]


def test_an_outage_of_everything_uses_up_no_patience() -> None:
    """Broker away for an hour: of the partitions that come back the first must not leave out the second."""
    windows = policy()
    landed = {A: 1_000_000, B: 1_000_000}
    for second in range(0, 3600, 60):
        plan([], landed, windows=windows, monotonic=second)
    states = [WindowState(1000, 5)]
    assert plan(states, {A: 1_500_000, B: 1_000_000}, windows=windows, monotonic=3_600).due == []
    assert windows_due(plan(states, {A: 1_500_000, B: 1_500_000}, windows=windows, monotonic=3_601)) == [1000]


def test_a_sealer_that_was_stopped_for_an_hour_is_not_impatient() -> None:
    windows = policy()
    plan([], {A: 1_000_000, B: 1_000_000}, windows=windows, monotonic=0)
    assert plan([WindowState(1000, 5)], {A: 1_500_000, B: 1_000_000}, windows=windows, monotonic=3_600).due == []


def test_claims_that_go_back_are_no_progress() -> None:
    windows = policy()
    states = [WindowState(1000, 5)]
    for second in range(600):
        landed = {A: 1_100_000 + second, B: 1_000_000 - second}
        decided = plan(states, landed, windows=windows, monotonic=second)
    assert decided.due == [Due(1000, incomplete=True)]


# Empty ranges


@pytest.mark.parametrize(
    ("landed", "empty"),
    [(1_019_999, None), (1_020_000, (1010, 1010)), (1_059_000, (1010, 1040)), (999_000, None)],
)
def test_what_nothing_landed_in_is_sealed_as_one_range(landed: int, empty: tuple[int, int] | None) -> None:
    assert plan([], {A: landed}, newest=1000).empty == empty


def test_where_nothing_was_ever_sealed_the_range_begins_with_the_oldest_rows() -> None:
    states = [WindowState(1030, 1), WindowState(1000, 1)]
    assert plan(states, {A: 1_060_000}).empty == (1000, 1050)
    assert plan([], {A: 1_060_000}).empty is None


def test_empty_windows_beside_incomplete_ones_are_sealed_when_the_partition_comes() -> None:
    windows = policy()
    incomplete = WindowState(1000, 5, 5, True, 1_310, 1_310)
    stalled(windows, 300, [incomplete])
    behind = plan([incomplete], {A: 1_400_000, B: 1_000_000}, newest=1300, windows=windows, monotonic=301)
    assert behind.empty is None
    back = plan([incomplete], {A: 1_400_000, B: 1_350_000}, newest=1300, windows=windows, monotonic=302)
    assert back.empty == (1000, 1340)


# Seals that fail


def test_a_window_that_cannot_be_sealed_holds_up_no_other() -> None:
    windows = policy()
    states = [WindowState(1000, 1), WindowState(1010, 1)]
    landed = {A: 2_000_000}
    windows.failed(1000, 50.0)
    decided = plan(states, landed, windows=windows, monotonic=51)
    assert (windows_due(decided), [held.window for held in decided.held]) == ([1010], [1000])
    assert windows_due(plan(states, landed, windows=windows, monotonic=52)) == [1000, 1010]


def test_the_pause_after_failures_grows_to_a_limit_and_ends_with_a_seal() -> None:
    windows = policy()
    state, landed = [WindowState(1000, 1)], {A: 2_000_000}
    for _ in range(20):
        windows.failed(1000, 100.0)
    assert windows_due(plan(state, landed, windows=windows, monotonic=129)) == []
    assert windows_due(plan(state, landed, windows=windows, monotonic=130)) == [1000]
    windows.sealed(1000)
    windows.failed(1000, 200.0)
    assert windows_due(plan(state, landed, windows=windows, monotonic=202)) == [1000]
