"""When hits are enough."""

import pytest

from schemas.rules import Fires
from streams.rules.firing import episodes, firing


@pytest.mark.parametrize(
    ("fires", "judged", "hit", "told"),
    [
        ({}, 5, 0, False),
        ({}, 5, 1, True),
        ({"count": 3}, 5, 2, False),
        ({"count": 3}, 5, 3, True),
        ({"share": 0.1}, 30, 2, False),
        ({"share": 0.1}, 30, 3, True),
        ({"share": 0.1, "count": 4}, 30, 3, False),
        ({"share": 0.1, "min_requests": 31}, 30, 30, False),
        ({"min_requests": 31}, 31, 1, True),
        ({"share": 1.0}, 0, 0, False),
    ],
)
def test_firing(fires: dict[str, float], judged: int, hit: int, told: bool) -> None:
    assert firing(Fires.model_validate(fires), judged, hit) is told


def test_episodes_begin_when_enough_windows_are_bad_and_end_when_they_have_passed() -> None:
    fires = Fires(share=0.5, within=30, min_requests=10)
    windows = [(0, 10, 0), (10, 10, 10), (20, 10, 10), (30, 10, 0), (40, 10, 0), (100, 10, 10), (110, 10, 0)]
    assert episodes(fires, windows) == [(20, 50), (110, 140)]


def test_a_window_without_requests_ends_what_has_passed() -> None:
    assert episodes(Fires(within=60), [(0, 1, 1), (1000, 1, 1)]) == [(10, 70), (1010, 1070)]
    assert episodes(Fires(within=60), [(0, 1, 1), (50, 1, 1)]) == [(10, 120)]
    assert episodes(Fires(), []) == []
