"""The events of one request as they come about: what each component says, and when it is done."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rectrace.demo.arrays import Floats, Ints
from rectrace.demo.ask import Ask
from rectrace.demo.catalogue import Catalogue
from rectrace.demo.hooks import EventDict, Hooks

Stopwatch = Callable[[], float]


class Timing(NamedTuple):
    """The latency that a component would have in production: log-normal, in ms. Longer than `deadline` times out."""

    median: float
    sigma: float = 0.35
    deadline: float = float("inf")


TIMINGS = {
    "api": Timing(1.5),
    "covisit": Timing(9, 0.45, 250),
    "popular": Timing(3, 0.35, 250),
    "content": Timing(14, 0.45, 250),
    "new_arrivals": Timing(4, 0.35, 250),
    "rrf": Timing(0.8),
    "eligibility": Timing(4),
    "policy": Timing(2),
    "ranker": Timing(22, 0.5, 110),
    "mmr": Timing(5),
    "merchandising": Timing(3),
    "top_k": Timing(0.3),
}
# Of what is only ever asked for by name: drawn apart, so that traffic draws what it always did.
OTHERS = {"popular_near": Timing(3, 0.35, 250)}
_MEDIANS = np.log([timing.median for timing in TIMINGS.values()])
_SIGMAS = np.array([timing.sigma for timing in TIMINGS.values()])


def timing(component: str) -> Timing:
    """Of any component."""
    return TIMINGS.get(component) or OTHERS[component]


class Emitted(NamedTuple):
    """An event and the time, in ms since the request came, at which its component was done."""

    ms: float
    event: EventDict


class Trail:
    """Collects events and counts the milliseconds. Measured time and the production-like latency add up."""

    def __init__(self, ask: Ask, catalogue: Catalogue, hooks: Hooks, stopwatch: Stopwatch) -> None:
        self.ask = ask
        self.emitted: list[Emitted] = []
        self._catalogue = catalogue
        self._hooks = hooks
        self._stopwatch = stopwatch
        self._latency = dict(zip(TIMINGS, np.exp(ask.random.normal(_MEDIANS, _SIGMAS)).tolist(), strict=True))
        self._since = stopwatch()
        self._now = 0.0
        self._latest = 0.0

    def duration(self, component: str) -> float:
        """ms that the component took: what it really did since the last call, and its latency."""
        now = self._stopwatch()
        measured = (now - self._since) * 1000
        self._since = now
        if component not in self._latency:
            drawn = OTHERS[component]
            self._latency[component] = float(np.exp(self.ask.random.normal(np.log(drawn.median), drawn.sigma)))
        return measured + self._hooks.latency(component, self.ask, self._latency[component])

    def add(self, stage: str, component: str, ms: float, **fields: object) -> None:
        """An event of a component that started when the one before was done."""
        self._now = self._emit(stage, component, ms, fields)

    def add_parallel(self, stage: str, component: str, ms: float, **fields: object) -> None:
        """An event of a component that started together with its neighbours; `join` waits for the slowest."""
        self._latest = max(self._latest, self._emit(stage, component, ms, fields))

    def join(self) -> None:
        """Wait for the components that run side by side."""
        self._now = max(self._now, self._latest)

    @property
    def elapsed(self) -> float:
        """ms since the request came."""
        return self._now

    def names(self, items: Ints) -> list[str]:
        """Item ids, as events carry them."""
        return self._catalogue.names(items)

    def _emit(self, stage: str, component: str, ms: float, fields: dict[str, object]) -> float:
        done = self._now + ms
        event: EventDict = {
            "schema_version": 1,
            "request_id": self.ask.request_id,
            "ts": int((self.ask.at * 1000) + done),
            "stage": stage,
            "component": component,
            "seq": len(self.emitted),
            "duration_ms": round(ms, 3),
            **fields,
        }
        self.emitted.append(Emitted(done, event))
        return done


def rounded(scores: Floats | Sequence[float]) -> list[float]:
    """Scores as events carry them, four digits."""
    short: list[float] = np.round(scores, 4).tolist()
    return short
