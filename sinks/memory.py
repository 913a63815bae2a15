"""A sink in memory with the semantics of the real one: landing twice changes nothing in the merged view."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from schemas.errors import Unavailable
from schemas.parts import CatalogRow, Claim, DeadLetter, Event, InteractionRow, Part, RuleRow


class Key(NamedTuple):
    """The identity of a stage event, and the hash that tells two of one identity apart."""

    stage: str
    component: str
    attempt: int
    hash: int


class MemorySink:
    """Implements `streams.ports.Sink`. May be called from several threads.

    available: while False every call raises `Unavailable` and keeps nothing.
    refuse: the reason why an event is not taken, or None; as the real server refuses single events of a batch.
    """

    def __init__(self, refuse: Callable[[Event], str | None] = lambda event: None) -> None:
        self.available = True
        self.refuse = refuse
        self.landed: list[Part] = []  # every part of every call, as often as it came
        self.calls: list[str] = []
        self._lock = threading.Lock()
        self._dead_letters: dict[tuple[str, int, int, int], DeadLetter] = {}
        self._interactions: dict[tuple[str, str, str, int], InteractionRow] = {}
        self._catalog: dict[tuple[str, int], CatalogRow] = {}
        self._rules: dict[tuple[str, int], RuleRow] = {}
        self._progress: dict[tuple[str, int], int] = {}

    # --- the port

    def land(self, parts: Sequence[Part]) -> list[DeadLetter]:
        with self._called("land"):
            refused = []
            for part in parts:
                kept = []
                for event in part.events:
                    if reason := self.refuse(event):
                        refused.append(DeadLetter.of_event(event, reason, "$", "refused"))
                    else:
                        kept.append(event)
                if kept:
                    self.landed.append(msgspec.structs.replace(part, events=kept))
            return refused

    def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        with self._called("dead_letters"):
            for letter in letters:
                self._dead_letters[letter.topic, letter.partition, letter.offset, letter.record_at] = letter

    def write_interactions(self, rows: Sequence[InteractionRow]) -> None:
        with self._called("interactions"):
            for row in rows:
                self._interactions[row.request_id, row.item, row.kind, row.ts] = row

    def write_catalog(self, rows: Sequence[CatalogRow]) -> None:
        with self._called("catalog"):
            for row in rows:
                self._catalog[row.item, row.record_at] = row

    def write_rules(self, rows: Sequence[RuleRow]) -> None:
        with self._called("rules"):
            for row in rows:
                self._rules[row.id, row.record_at] = row

    def write_progress(self, claims: Sequence[Claim]) -> None:
        with self._called("progress"):
            for claim in claims:
                key = (claim.topic, claim.partition)
                self._progress[key] = max(self._progress.get(key, 0), claim.landed_until)

    def _called(self, what: str) -> threading.Lock:
        if not self.available:
            raise Unavailable("the memory sink was told to be away")
        self.calls.append(what)
        return self._lock

    # --- what readers see

    def merged(self) -> dict[str, dict[Key, int]]:
        """Per request, the record time (ms) of each event: the union of all parts, the lowest time of exact copies."""
        requests: dict[str, dict[Key, int]] = {}
        with self._lock:
            for part in self.landed:
                events = requests.setdefault(part.request_id, {})
                for event in part.events:
                    envelope = event.envelope
                    key = Key(envelope.stage, envelope.component, envelope.attempt or 0, event.hash)
                    events[key] = min(events.get(key, event.record_at), event.record_at)
        return requests

    def dead_letters(self) -> list[DeadLetter]:
        return [self._dead_letters[key] for key in sorted(self._dead_letters)]

    def interactions(self) -> list[InteractionRow]:
        return [self._interactions[key] for key in sorted(self._interactions)]

    def catalog(self) -> dict[str, CatalogRow]:
        """The newest state of each item."""
        return {item: self._catalog[item, at] for item, at in sorted(self._catalog)}

    def rules(self) -> dict[str, RuleRow]:
        """The newest state of each rule."""
        return {name: self._rules[name, at] for name, at in sorted(self._rules)}

    def landed_until(self) -> dict[tuple[str, int], int]:
        """Per topic and partition, the highest time (ms) claimed."""
        return dict(self._progress)
