"""The SealStore port in memory: rows are counted by window, a seal reads all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.errors import Unavailable
from schemas.parts import Sealed, SealStatus, WindowState
from streams.ports import TopicPartition


@dataclass
class MemorySealStore:
    """`now` is the server's clock; windows in `broken` cannot be sealed."""

    now: float = 0.0
    rows: dict[int, int] = field(default_factory=dict)
    claims: dict[TopicPartition, int] = field(default_factory=dict)
    states: dict[int, WindowState] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    looked_from: list[int] = field(default_factory=list)

    def landed_until(self) -> Mapping[TopicPartition, int]:
        return self.claims

    def unsettled(self, since: int) -> Sequence[WindowState]:
        self.looked_from.append(since)
        found = []
        for window, rows in self.rows.items():
            sealed = self.states.get(window, WindowState(window, 0))
            state = WindowState(window, rows, *(getattr(sealed, name) for name in WindowState.__struct_fields__[2:]))
            if window >= since and (state.sealed_rows is None or state.dirty or state.incomplete):
                found.append(state)
        return found

    def status(self, since: int) -> SealStatus:
        return SealStatus(max(self.states, default=None), orphans=2)

    def seal(self, window: int, *, incomplete: bool = False) -> Sealed:
        self.calls.append(f"seal {window}{' incomplete' if incomplete else ''}")
        if window in self.broken:
            raise Unavailable("sealing: memory limit exceeded")
        first = self.states[window].first_sealed_at if window in self.states else self.now
        rows = self.rows.get(window, 0)
        self.states[window] = WindowState(window, rows, rows, incomplete, first, self.now)
        return Sealed(window, rows, rows, 0)

    def seal_empty(self, first: int, last: int) -> None:
        self.calls.append(f"empty {first}..{last}")
        for window in range(first, last + 10, 10):
            if window not in self.rows and window not in self.states:
                self.states[window] = WindowState(window, 0, 0, False, self.now, self.now)

    def sweep(self, since: int) -> None:
        self.calls.append(f"sweep {since}")

    def clean(self, since: int) -> None:
        self.calls.append(f"clean {since}")

    def roll_up(self, before: int) -> None:
        self.calls.append(f"roll up {before}")
