"""The shape of a signal, and how a module adds signals of its own."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from schemas.alerts import STALE, AlertState, Severity
from schemas.parts import WINDOW_S
from schemas.trends import SLOT_S

SLOT: Final = SLOT_S // WINDOW_S  # windows


class Kind(Enum):
    """How a signal is compared with its threshold."""

    SHARE = "share"  # bad / total above it, with confidence
    COUNT = "count"  # bad at or above it
    ABOVE = "above"  # value above it
    RATIO_BELOW = "ratio_below"  # value / baseline below it
    RATIO_ABOVE = "ratio_above"  # value / baseline above it


@dataclass(frozen=True, slots=True)
class Definition:
    """What an alert is. Every signal carries its own, so nobody else needs to know it.

    Fires when `needed` of its last `of` judged windows were bad; ends after `quiet` good ones in a row, or when there
    was no verdict in `stale` windows that others were judged in. One that looks at every n-th window only (`every`)
    needs more patience than the default. summary and todo are str.format templates over the labels, the signal's
    `text`, and alert, bad, total, share, value, baseline, ratio and threshold, as text.
    """

    name: str  # the alertname
    severity: Severity
    kind: Kind
    threshold: float
    min_total: float = 0  # less than that is no data
    floor: float = 0  # RATIO_ABOVE: the least by which value exceeds baseline
    needed: int = 2
    of: int = 3
    quiet: int = 3
    every: int = 1  # windows: it is judged in the last one of each so many, by the clock
    stale: int = STALE
    clear: float | None = None  # good at or under it (RATIO_BELOW: at or over it); None: see judge.py
    objective: float | None = None  # of an error budget: the share of requests that must be good
    compares: bool = False  # with what came before: after a while the new level is the normal one
    summary: str = "{alert}"
    todo: str = ""
    examples: str = ""  # which requests show it: a status such as `empty`, or failed, zero_out, slow of the component

    def __post_init__(self) -> None:
        if not 1 <= self.needed <= self.of:
            raise ValueError(f"alert {self.name}: needed {self.needed} must be from 1 to of, which is {self.of}")
        if not 1 <= self.every < self.stale:
            raise ValueError(f"alert {self.name}: stale {self.stale} must be more than every, which is {self.every}")

    def due(self, window: int) -> bool:
        """Whether it is judged in the window (start, epoch seconds): whether a slot of `every` windows ends with it."""
        return (window // WINDOW_S + 1) % self.every == 0


@dataclass(frozen=True, slots=True)
class Signal:
    """One definition, judged for one set of labels in one window."""

    definition: Definition
    labels: Mapping[str, str]  # without alertname and severity; with the name, the identity of the alert
    bad: float = 0
    total: float = 0
    value: float | None = None
    baseline: float | None = None
    examples: tuple[str, ...] = ()  # request ids, where they are known already
    text: Mapping[str, str] = field(default_factory=dict)  # more names for the templates


class Signals(Protocol):
    """Signals of a range of windows, read already."""

    def at(self, window: int, active: Collection[AlertState]) -> Iterable[Signal]:
        """The signals of one window; also the good ones, for they resolve. active: what was pending or firing before
        it. Pure."""
        ...


class SignalSource(Protocol):
    """A module that has signals. Blocks; raises `Unavailable`."""

    def load(self, first: int, last: int) -> Signals:
        """Read what the windows from first to last (epoch seconds, both inside) need."""
        ...
