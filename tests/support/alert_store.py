"""The ports of the alert engine in memory, and a way to kill it between any two of its steps."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from schemas.alerts import AlertCounts, AlertState, Chain, Evaluation, Notification, SealedWindow
from schemas.errors import Unavailable
from streams.alerts.model import Definition, Kind, Signal

SHARE = Definition(
    "TooMany", "page", Kind.SHARE, 0.1, min_total=10, summary="{share} of {total} at {placement}", examples="empty"
)


class Killed(Exception):  # noqa: N818
    """The process is gone."""


@dataclass
class Death:
    """Kills at the given call, counted over everything that has an effect: before the effect, or after it."""

    at: int = -1
    after: bool = False
    calls: int = 0

    def before(self) -> None:
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise Killed

    def done(self) -> None:
        if self.calls == self.at and self.after:
            raise Killed


@dataclass
class MemoryAlertStore:
    """The AlertStore port in memory. What is saved goes through JSON, as it does in the real one."""

    windows: list[SealedWindow] = field(default_factory=list)
    found: AlertCounts = field(default_factory=lambda: AlertCounts([], [], [], [], [], [], []))
    request_ids: tuple[str, ...] = ("r-1", "r-2")
    evaluations: dict[Chain, dict[int, bytes]] = field(default_factory=lambda: {"sealed": {}, "ingest": {}})
    cursors: dict[tuple[str, Chain], int] = field(default_factory=dict)
    death: Death = field(default_factory=Death)
    away: bool = False

    def latest(self, chain: Chain) -> Evaluation | None:
        self._answer()
        newest = max(self.evaluations[chain], default=None)
        return None if newest is None else _decode(self.evaluations[chain][newest])

    def save(self, evaluations: Sequence[Evaluation]) -> None:
        self._answer()
        self.death.before()
        for each in evaluations:
            self.evaluations[each.chain].setdefault(each.window, msgspec.json.encode(each))
        self.death.done()

    def sealed(self, after: int, limit: int) -> Sequence[SealedWindow]:
        self._answer()
        return sorted(each for each in self.windows if each.window > after)[:limit]

    def newest_complete(self) -> int | None:
        return max((each.window for each in self.windows if not each.incomplete), default=None)

    def counts(self, first: int, last: int) -> AlertCounts:
        return self.found

    def examples(self, kind: str, labels: Mapping[str, str], first: int, last: int) -> Sequence[str]:
        return self.request_ids

    def delivered(self, target: str) -> Mapping[Chain, int]:
        self._answer()
        return {chain: window for (name, chain), window in self.cursors.items() if name == target}

    def mark_delivered(self, target: str, chain: Chain, window: int) -> None:
        self.death.before()
        self.cursors[target, chain] = max(window, self.cursors.get((target, chain), 0))
        self.death.done()

    def changed(self, chain: Chain, after: int, limit: int) -> Sequence[Evaluation]:
        rows = self.evaluations[chain]
        found = [_decode(rows[window]) for window in sorted(rows) if window > after]
        return [each for each in found if each.changes][:limit]

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("the memory store was told to be away")


@dataclass
class MemoryNotifier:
    """Keeps what it is sent."""

    death: Death = field(default_factory=Death)
    away: bool = False
    sent: list[tuple[float, Notification]] = field(default_factory=list)
    now: float = 0.0

    def send(self, notifications: Sequence[Notification]) -> None:
        if self.away:
            raise Unavailable("the memory notifier was told to be away")
        self.death.before()
        self.sent += [(self.now, each) for each in notifications]
        self.death.done()

    def heard(self) -> list[tuple[str, int, str]]:
        """What was new to the receiver, in order: fingerprint, startsAt, firing or resolved."""
        known: dict[str, tuple[str, int, str]] = {}
        heard = []
        for at, each in self.sent:
            told = each.fingerprint, each.starts_at, "firing" if each.ends_at > at else "resolved"
            if known.get(each.fingerprint) != told:
                heard.append(told)
            known[each.fingerprint] = told
        return heard


@dataclass
class Scripted:
    """A source of signals that says what a test says: bad requests of 100, by window and placement."""

    shares: Mapping[int, Mapping[str, int]]
    definition: Definition = SHARE

    def load(self, first: int, last: int) -> "Scripted":
        return self

    def at(self, window: int, active: Collection[AlertState]) -> Iterable[Signal]:
        for placement, bad in self.shares.get(window, {}).items():
            yield Signal(self.definition, {"placement": placement}, bad, 100)


def _decode(data: bytes) -> Evaluation:
    evaluation = msgspec.json.decode(data, type=Evaluation)
    return replace(evaluation, states=sorted(evaluation.states, key=lambda state: state.fingerprint))
