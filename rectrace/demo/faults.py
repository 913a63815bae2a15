"""The fault library: what can go wrong, each with the ground truth that a tool should find."""

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from rectrace.demo import broken_publishing, broken_recommender
from rectrace.demo.hooks import Chain, Hooks
from rectrace.demo.truth import Kind, Truth

_KINDS: dict[str, type[Kind]] = {
    kind.truth.name: kind
    for kind in (
        broken_recommender.SourceEmpty,
        broken_recommender.SourceSlow,
        broken_recommender.FilterOverdrop,
        broken_recommender.StockFeedStale,
        broken_recommender.SeasonLeak,
        broken_recommender.BoostStorm,
        broken_recommender.ScorerConstant,
        broken_recommender.ScorerScaleShift,
        broken_recommender.StageTimeout,
        broken_publishing.EventsLost,
        broken_publishing.EventsDuplicated,
        broken_publishing.ClockSkew,
        broken_publishing.SchemaV2,
        broken_publishing.MalformedEvents,
        broken_publishing.TrafficSpike,
    )
}
HEALTHY = Hooks()


class FaultError(ValueError):
    """A fault that does not exist or cannot be read."""


@dataclass(frozen=True)
class Fault:
    """A fault and the time in which it is there: from start on, until just before end; in seconds from the start of the
    traffic."""

    truth: Truth
    start: float
    end: float = math.inf


class Faults:
    """Several faults on one time line."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = sorted(faults, key=lambda fault: fault.start)
        self._kinds = [_KINDS[fault.truth.name]() for fault in self._faults]
        self._hooks: dict[tuple[int, ...], Hooks] = {(): HEALTHY}

    def active(self, elapsed: float) -> list[Fault]:
        """The faults that are there, `elapsed` seconds from the start."""
        return [self._faults[n] for n in self._there(elapsed)]

    def hooks(self, elapsed: float) -> Hooks:
        """What they change together."""
        there = self._there(elapsed)
        if there not in self._hooks:
            self._hooks[there] = Chain([self._kinds[n] for n in there])
        return self._hooks[there]

    def _there(self, elapsed: float) -> tuple[int, ...]:
        return tuple(n for n, fault in enumerate(self._faults) if fault.start <= elapsed < fault.end)


def library() -> list[Truth]:
    """All faults there are."""
    return [kind.truth for kind in _KINDS.values()]


def parse(text: str) -> Fault:
    """The fault that `NAME`, `NAME@START` or `NAME@START-END` means; without a start it is there from the beginning on,
    without an end for good. Or `FaultError`."""
    name, at, times = text.partition("@")
    if name not in _KINDS:
        near = difflib.get_close_matches(name, _KINDS, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise FaultError(f"unknown fault {name!r}{hint} Known faults: {', '.join(_KINDS)}")
    if not at:
        return Fault(_KINDS[name].truth, 0.0)
    start, dash, end = times.rpartition("-") if times.rpartition("-")[0] else (times, "", "")
    fault = Fault(_KINDS[name].truth, _seconds(text, start), _seconds(text, end) if dash else math.inf)
    if fault.end <= fault.start:
        raise FaultError(f"fault {text!r}: it ends before it begins; write NAME@START-END, in seconds")
    return fault


def _seconds(text: str, seconds: str) -> float:
    try:
        given = float(seconds)
    except ValueError:
        given = math.nan
    if not 0 <= given < math.inf:
        raise FaultError(
            f"fault {text!r}: {seconds!r} is not a number of seconds from 0 on; write NAME@SECONDS or NAME@START-END"
        )
    return given
