"""What the pipeline needs from outside. sinks/ implements these; rectrace/wiring.py fits them together."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from schemas.alerts import AlertCounts, Chain, Evaluation, Notification, SealedWindow
from schemas.parts import CatalogRow, Claim, DeadLetter, InteractionRow, Part, RuleRow, Sealed, SealStatus, WindowState

TopicPartition = tuple[str, int]


class Sink(Protocol):
    """Where a flush goes. Every call returns only when acknowledged, may be repeated with the same rows without
    changing anything, blocks (call it in a thread), and raises `schemas.errors.Unavailable` when the server is away."""

    def land(self, parts: Sequence[Part]) -> list[DeadLetter]:
        """Land all parts in one insert. Events that the server refuses are left out and returned; the rest is in."""
        ...

    def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None: ...

    def write_interactions(self, rows: Sequence[InteractionRow]) -> None: ...

    def write_catalog(self, rows: Sequence[CatalogRow]) -> None: ...

    def write_rules(self, rows: Sequence[RuleRow]) -> None: ...

    def write_progress(self, claims: Sequence[Claim]) -> None: ...


class SealStore(Protocol):
    """What the sealer reads and writes; windows in epoch seconds. Blocks; raises `Unavailable`."""

    def landed_until(self) -> Mapping[TopicPartition, int]:
        """The highest claim of each topic-partition, epoch ms."""
        ...

    def unsettled(self, since: int) -> Sequence[WindowState]:
        """Windows from `since` on that are not sealed, sealed incomplete, or dirty."""
        ...

    def status(self, since: int) -> SealStatus: ...

    def seal(self, window: int, *, incomplete: bool = False) -> Sealed: ...

    def seal_empty(self, first: int, last: int) -> None: ...

    def sweep(self, since: int) -> None: ...

    def clean(self, since: int) -> None: ...

    def roll_up(self, before: int) -> None: ...


class AlertStore(Protocol):
    """What the alert engine reads and writes; windows in epoch seconds. Blocks; raises `Unavailable`."""

    def latest(self, chain: Chain) -> Evaluation | None:
        """The newest window that was evaluated."""
        ...

    def save(self, evaluations: Sequence[Evaluation]) -> None:
        """All of them or none. Of several evaluations of one window the first counts."""
        ...

    def sealed(self, after: int, limit: int) -> Sequence[SealedWindow]:
        """Sealed windows after this one, oldest first."""
        ...

    def newest_complete(self) -> int | None:
        """The newest window that is sealed with all that belongs into it."""
        ...

    def counts(self, first: int, last: int) -> AlertCounts:
        """Of the windows from first to last, both inside."""
        ...

    def examples(self, kind: str, labels: Mapping[str, str], first: int, last: int) -> Sequence[str]:
        """A few requests of these windows that show it; kind as in `Definition.examples`."""
        ...

    def delivered(self, target: str) -> Mapping[Chain, int]:
        """Per chain the newest window of which everything has been told to this target; empty for a new one."""
        ...

    def mark_delivered(self, target: str, chain: Chain, window: int) -> None: ...

    def changed(self, chain: Chain, after: int, limit: int) -> Sequence[Evaluation]:
        """Evaluations with changes, of windows after this one, oldest first."""
        ...


class Notifier(Protocol):
    """Who is told. Telling the same again changes nothing. Blocks; raises `Unavailable`."""

    def send(self, notifications: Sequence[Notification]) -> None:
        """In this order, all of them or none."""
        ...
