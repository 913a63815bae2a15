"""What is to be written, in batches: one at a time, acknowledged as a whole."""

from collections import deque
from dataclasses import dataclass

import msgspec

from schemas.parts import CatalogRow, Claim, DeadLetter, InteractionRow, Part, RuleRow
from streams.join import Joined
from streams.watermark import Hold

ROW_OVERHEAD = 500  # bytes of an interaction or a catalogue row beside its raw bytes
# Decoded rows are many times smaller than a batch of parts; this bounds how long one insert of them takes.
MAX_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """When a batch is due: at any of these."""

    max_bytes: int = 16_000_000
    max_rows: int = 5_000
    interval_ms: int = 1_000


class Batch(msgspec.Struct):
    """One flush. Claims hold once everything else of it is written."""

    epoch: int
    parts: list[Part]
    letters: list[DeadLetter]
    interactions: list[InteractionRow]
    catalog: list[CatalogRow]
    rules: list[RuleRow]
    claims: list[Claim]
    holds: list[Hold]
    size: int
    oldest_at: int  # ms: when the first of it was ready

    @property
    def decoded(self) -> int:
        """Rows of the topics that hold no stage events."""
        return len(self.interactions) + len(self.catalog) + len(self.rules)

    @property
    def rows(self) -> int:
        return len(self.parts) + len(self.letters) + self.decoded


class Rows(msgspec.Struct):
    """What one run of records of the interactions, the catalogue or the rules topic became."""

    interactions: list[InteractionRow]
    catalog: list[CatalogRow]
    rules: list[RuleRow]
    size: int  # bytes
    hold: Hold

    def __len__(self) -> int:
        return len(self.interactions) + len(self.catalog) + len(self.rules)


class Outbox:
    """Closed parts, dead letters and rows, each with its holds, until they are acknowledged."""

    def __init__(self, policy: FlushPolicy) -> None:
        self._policy = policy
        self._parts: deque[tuple[int, Joined]] = deque()  # (ready at, part)
        self._letters: deque[tuple[DeadLetter, Hold]] = deque()
        self._runs: deque[Rows] = deque()
        self._oldest_at: int | None = None
        self._in_flight = 0  # bytes of the batch that was taken
        self.size = 0  # bytes, with the batch that was taken
        self._rows = 0
        self._taken_at: int | None = None
        self.busy = False

    def put_part(self, joined: Joined, now: int) -> None:
        self._parts.append((now, joined))
        self._count(1, joined.size, now)

    def put_letter(self, letter: DeadLetter, hold: Hold, now: int) -> None:
        self._letters.append((letter, hold))
        self._count(1, len(letter.raw) + ROW_OVERHEAD, now)

    def put_rows(self, rows: Rows, now: int) -> None:
        self._runs.append(rows)
        self._count(len(rows), rows.size, now)

    def _count(self, rows: int, size: int, now: int) -> None:
        self._rows += rows
        self.size += size
        if self._oldest_at is None:
            self._oldest_at = now

    def due(self, now: int, *, force: bool = False) -> bool:
        """True if a batch should be taken: never while one is out."""
        if self.busy:
            return False
        if self._taken_at is None:
            self._taken_at = now
        policy = self._policy
        full = self.size >= policy.max_bytes or self._rows >= policy.max_rows
        return force or full or now - self._taken_at >= policy.interval_ms

    def take(self, epoch: int, now: int) -> Batch:
        """The next batch, without claims; it stays counted until `done`."""
        batch = Batch(epoch, [], [], [], [], [], [], [], 0, now if self._oldest_at is None else self._oldest_at)
        while self._parts and batch.size < self._policy.max_bytes:
            _, joined = self._parts.popleft()
            batch.parts.append(joined.part)
            batch.holds.extend(joined.holds)
            batch.size += joined.size
        while self._letters and batch.size < 2 * self._policy.max_bytes:
            letter, hold = self._letters.popleft()
            batch.letters.append(letter)
            batch.holds.append(hold)
            batch.size += len(letter.raw) + ROW_OVERHEAD
        self._take_runs(batch)
        for hold in batch.holds:
            hold.taken = True
        self._rows -= batch.rows
        self._oldest_at = self._parts[0][0] if self._parts else (now if self._rows else None)
        self._taken_at, self._in_flight, self.busy = now, batch.size, True
        return batch

    def _take_runs(self, batch: Batch) -> None:
        while self._runs and batch.decoded < MAX_ROWS:
            rows = self._runs.popleft()
            batch.interactions.extend(rows.interactions)
            batch.catalog.extend(rows.catalog)
            batch.rules.extend(rows.rules)
            batch.holds.append(rows.hold)
            batch.size += rows.size

    def done(self, batch: Batch) -> None:
        """The batch is written."""
        for hold in batch.holds:
            hold.done = True
        self.size -= self._in_flight
        self._in_flight, self.busy = 0, False
