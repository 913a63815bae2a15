"""The yield of a component: what it lets through of what it is given. Pure.

yield = sum n_out / sum n_in; of a source, which is given nothing, candidates for each call that did not fail. Of sums:
a request counts by its candidates. A yield also falls where a component is given more than it can use, as a cutoff is:
where it passes on as much a call as before nothing is wrong.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.alerts import StageCounts


class Flow(NamedTuple):
    """What went through a component in some windows. calls: those that did not fail."""

    windows: int
    calls: float
    given: float
    passed: float

    @property
    def rate(self) -> float:
        """The yield; 0 of nothing."""
        return self.passed / self.given if self.given > 0 else 0.0

    @property
    def per_call(self) -> float:
        """Candidates passed on by a call; 0 of none."""
        return self.passed / self.calls if self.calls > 0 else 0.0


def flow(rows: Mapping[int, StageCounts], windows: Sequence[int], enough: float = float("inf")) -> Flow:
    """Of the newest of the windows (ascending), back until there are enough calls."""
    seen, calls, given, passed = 0, 0.0, 0.0, 0.0
    for window in reversed(windows):
        row = rows.get(window)
        if row is None:
            continue
        told = row.n - row.failed
        seen, calls, passed = seen + 1, calls + told, passed + row.n_out
        given += told if row.stage == "retrieval" else row.n_in
        if calls >= enough:
            break
    return Flow(seen, calls, given, passed)


def compared(now: Flow, before: Flow) -> float:
    """The yield of now, as far as it matters: not below what it was by more than candidates for each call are."""
    if not before.rate or not before.per_call:
        return now.rate
    return before.rate * max(now.rate / before.rate, now.per_call / before.per_call)
