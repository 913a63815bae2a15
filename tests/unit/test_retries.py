"""How long until the next try."""

import pytest

from streams.retries import pause_after


@pytest.mark.parametrize(("failures", "seconds"), [(1, 2), (2, 4), (5, 32), (6, 60), (7, 60), (10_000, 60)])
def test_it_doubles_up_to_the_longest(failures: int, seconds: float) -> None:
    assert pause_after(failures, 60) == seconds
