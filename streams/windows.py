"""What to seal, and when: a pure policy that takes `now`.

A window is due once every partition has landed past its end. It is sealed again when it is dirty: when the landing rows
of the window plus the strays naming it are more than its visible run read. That needs nobody to remember anything. A
dirty window waits until the time since its first seal has doubled since its last, so a trickle of late events costs
about a dozen seals in two days, and not after the horizon. (Since its first seal, not its end: else a backlog sealed a
day late would lack for a day what its first seal had missed.) A partition that makes no progress while others do is
left out after `patience`: such a seal is incomplete, and due again when the partition comes. A window whose seal fails
lets others go first and is tried again after a while.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.parts import WINDOW_S, WindowState
from streams.ports import TopicPartition
from streams.retries import pause_after

LONGEST_RETRY_S: Final = 30.0


@dataclass(frozen=True)
class Due:
    """A window to seal now. again: it has been sealed before."""

    window: int
    incomplete: bool
    again: bool = False


@dataclass(frozen=True)
class Plan:
    """What to do now, in the order of the windows: then nothing that happens between leaves a hole behind."""

    empty: tuple[int, int] | None  # first and last window of a range to seal where nothing landed
    due: list[Due]  # oldest first
    held: list[Due]  # due, but their last seal failed a moment ago
    dirty: int


@dataclass
class Windows:
    """The policy of one sealing worker. Seconds throughout; `monotonic` is any clock that never goes back."""

    patience: float
    horizon: float
    _landed: Mapping[TopicPartition, int] = field(default_factory=dict)
    _waited: dict[TopicPartition, float] = field(default_factory=dict)
    _moved_at: float | None = None
    _failures: dict[int, tuple[int, float]] = field(default_factory=dict)  # (in a row, not before)

    def plan(
        self,
        now: float,
        monotonic: float,
        landed: Mapping[TopicPartition, int],
        states: Iterable[WindowState],
        newest_sealed: int | None,
    ) -> Plan:
        """Decide. landed: epoch ms by every partition that exists now, 0 for one that never claimed anything.
        newest_sealed: the highest window with a visible run."""
        strict, patient = self._frontiers(monotonic, landed)
        open_states = [state for state in states if not self._is_over(state, now)]
        due = [
            Due(state.window, incomplete=_end(state) > strict, again=state.sealed_rows is not None)
            for state in sorted(open_states, key=lambda state: state.window)
            if self._is_due(state, now, strict, patient)
        ]
        held = [each for each in due if monotonic < self._failures.get(each.window, (0, monotonic))[1]]
        return Plan(
            empty=_empty(newest_sealed, open_states, strict),
            due=[each for each in due if each not in held],
            held=held,
            dirty=sum(state.dirty for state in open_states),
        )

    def failed(self, window: int, monotonic: float) -> None:
        """Its seal was abandoned."""
        failures = self._failures.get(window, (0, 0.0))[0] + 1
        self._failures[window] = failures, monotonic + pause_after(failures, LONGEST_RETRY_S)

    def sealed(self, window: int) -> None:
        """Its seal was published."""
        self._failures.pop(window, None)

    def _frontiers(self, monotonic: float, landed: Mapping[TopicPartition, int]) -> tuple[float, float]:
        """How far all partitions have landed, and how far those have that patience has not run out for (epoch s)."""
        moved = {partition for partition, until in landed.items() if until > self._landed.get(partition, -1)}
        # Only time in which others made progress counts, so an outage of everything uses up no patience.
        waited = min(monotonic - self._moved_at, WINDOW_S) if moved and self._moved_at is not None else 0.0
        self._waited = {
            partition: 0.0 if partition in moved else self._waited.get(partition, 0.0) + waited for partition in landed
        }
        self._moved_at = monotonic if moved else self._moved_at
        self._landed = dict(landed)
        if not landed:
            return 0.0, 0.0
        waited_for = [until for partition, until in landed.items() if self._waited[partition] < self.patience]
        strict = min(landed.values()) / 1000
        return strict, max(strict, min(waited_for, default=0) / 1000)

    def _is_over(self, state: WindowState, now: float) -> bool:
        return state.sealed_rows is not None and now - state.first_sealed_at > self.horizon

    def _is_due(self, state: WindowState, now: float, strict: float, patient: float) -> bool:
        if _end(state) > patient:
            return False
        if state.sealed_rows is None or (state.incomplete and _end(state) <= strict):
            return True
        sealed_for = max(state.last_sealed_at - state.first_sealed_at, WINDOW_S)
        return state.dirty and now - state.first_sealed_at >= 2 * sealed_for


def _end(state: WindowState) -> int:
    return state.window + WINDOW_S


def _empty(newest_sealed: int | None, states: Collection[WindowState], strict: float) -> tuple[int, int] | None:
    """Up to the last window that all partitions are past; from after the newest sealed one, from the oldest incomplete
    one (empty windows beside it were left open), or from the oldest with rows where nothing was ever sealed."""
    after = [newest_sealed + WINDOW_S] if newest_sealed is not None else []
    starts = after + [state.window for state in states if state.incomplete or newest_sealed is None]
    last = int(strict) // WINDOW_S * WINDOW_S - WINDOW_S
    return (min(starts), last) if starts and min(starts) <= last else None
