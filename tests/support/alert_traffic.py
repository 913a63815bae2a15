"""Sealed traffic for alerts: a recommender with two sources and a ranker, and what is wrong with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.parts import Part
from tests.support.database import Database
from tests.support.events import event, part, raw

EXPECTS = ["ann", "popular", "ranker"]


@dataclass(frozen=True)
class Wrong:
    """What does not work, as a share of the requests."""

    ann_empty: float = 0.0
    ann_silent: float = 0.0
    popular_empty: float = 0.0
    ranker_timeout: float = 0.0
    constant: float = 0.0  # scores
    empty: float = 0.0
    no_response: float = 0.0
    slow_ms: float = 0.0


HEALTHY = Wrong()


@dataclass(frozen=True)
class Crowd:
    """n requests of one window that are alike, the first ones with what is wrong."""

    n: int
    wrong: Wrong = HEALTHY
    placement: str = "home"
    segments: Mapping[str, str] = field(default_factory=dict)
    k: int = 3

    def requests(self, window: int) -> Iterator[Part]:
        name = "-".join([self.placement, *self.segments.values(), str(window)])
        for number in range(self.n):
            yield self._request(f"{name}-{number}", window * 1000 + number * 9_000 // self.n, (number + 0.5) / self.n)

    def _request(self, request_id: str, at: int, share: float) -> Part:
        wrong = self.wrong
        events: list[bytes] = []

        def add(stage: str, component: str, **fields: Any) -> None:
            events.append(raw(request_id, stage, component, ts=at, **fields))

        items = [f"g{number}" for number in range(1, self.k + 1)]
        scores = [0.5 if share < wrong.constant else 1 / number for number in range(1, self.k + 1)]
        timeout, empty = share < wrong.ranker_timeout, share < wrong.empty
        add("request", "api", placement=self.placement, k=self.k, expects=EXPECTS, segments=self.segments)
        if share >= wrong.ann_silent:
            add("retrieval", "ann", items=[] if share < wrong.ann_empty else items, duration_ms=10)
        add("retrieval", "popular", items=[] if share < wrong.popular_empty else items, duration_ms=5)
        if timeout:
            add("scoring", "ranker", status="timeout", error="no answer in time", duration_ms=200)
        else:
            add("scoring", "ranker", items=items, scores=scores, duration_ms=20)
        served = [] if empty else items
        served_by = "fallback" if timeout else "primary"
        if share >= wrong.no_response:
            add("response", "api", items=served, served_by=served_by, duration_ms=40 + wrong.slow_ms)
        return part([event(data, at + 1, offset=number) for number, data in enumerate(events)])


def requests(window: int, n: int, wrong: Wrong, placement: str = "home") -> Iterator[Part]:
    """n requests of one window, the first ones with what is wrong."""
    return Crowd(n, wrong, placement).requests(window)


_COPIED = ("segment_metrics_runs", "stage_metrics_runs", "sealed")  # what makes it visible last


@dataclass
class Traffic:
    """Windows one after the other, landed and sealed."""

    database: Database
    window: int  # the next one
    rate: int = 60  # requests in a window
    copied: Sequence[str] = _COPIED

    def flow(
        self, windows: int, wrong: Wrong = HEALTHY, *, rate: int | None = None, placement: str = "home",
        incomplete: bool = False,
    ) -> None:  # fmt: skip
        n = self.rate if rate is None else rate
        parts = [each for number in range(windows) for each in requests(self.window + 10 * number, n, wrong, placement)]
        if parts:
            self.database.land(parts)
        for _ in range(windows):
            if n:
                self.database.seal.seal(self.window, incomplete=incomplete)
            else:
                self.database.seal.seal_empty(self.window, self.window)
            self.window += 10

    def mixed(self, *crowds: Crowd) -> None:
        """One window in which all of them come."""
        self.database.land(each for crowd in crowds for each in crowd.requests(self.window))
        self.database.seal.seal(self.window)
        self.window += 10

    def repeat(self, windows: int) -> None:
        """The counts of the window before, over and over: much cheaper than to land and seal as much."""
        self._copy(range(10, 10 * windows + 1, 10))
        self.window += 10 * windows

    def remember(self, windows: int, weeks: int) -> None:
        """The counts of the window before, as those of so many windows from it on, in each of so many earlier weeks."""
        self._copy(10 * number - 7 * 86_400 * back for back in range(1, weeks + 1) for number in range(windows))

    def _copy(self, apart: Iterable[int]) -> None:
        """apart: seconds after the window before."""
        parameters = {"before": self.window - 10, "apart": list(apart)}
        for table in self.copied:
            name = f"{self.database.name}.{table}"
            self.database.client.command(
                f"INSERT INTO {name} SELECT * REPLACE (window + arrayJoin({{apart:Array(Int32)}}) AS window) "
                f"FROM (SELECT * FROM {name} WHERE toUnixTimestamp(window) = {{before:UInt32}})",
                parameters=parameters,
            )
