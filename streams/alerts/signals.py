"""The signals of the built-in alerts, from counts of sealed windows. Pure but for `load`.

Where traffic is thin the newest windows are pooled until there is enough to judge by, up to `SPAN`; where it is not,
each window is judged alone, so nothing is delayed. What is compared with the time before is compared with the
`HISTORY_S` seconds that ended `GAP_S` before the window, so that an onset does not hide in its own baseline; it is mute
until at least `LEAST_HISTORY` windows of them are known.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple, Protocol, TypeVar

from schemas.alerts import AlertCounts, AlertState, PlacementCounts, StageCounts
from schemas.parts import WINDOW_S
from streams.alerts.definitions import BUILT_IN
from streams.alerts.model import Definition, Signal
from streams.alerts.pressures import Pressures
from streams.alerts.text import number, percent
from streams.alerts.thresholds import Thresholds
from streams.alerts.yields import compared, flow
from streams.detect.proportion import Share, likelihood

SPAN: Final = 30  # windows that are pooled at most
HISTORY_S: Final = 600
GAP_S: Final = 60
LEAST_HISTORY: Final = 30  # windows
TRAFFIC: Final = 3  # windows that traffic is summed over
CHANCE: Final = 5.0  # standard errors: there is a look every ten seconds at each component
UNKNOWN: Final = "(unknown)"
_ENDS: Final = frozenset({"request", "response"})  # that they are missing or slow is the whole request's business
_BY_NAME: Final = {definition.name: definition for definition in BUILT_IN}

Row = TypeVar("Row")
Shares = Callable[[Row], tuple[float, float]]  # bad and total of a row

PLACEMENT_SHARES: Final[Mapping[str, Shares[PlacementCounts]]] = {
    "EmptyResponses": lambda row: (row.empty, row.responded),
    "ShortResponses": lambda row: (row.short, row.responded),
    "FallbackResponses": lambda row: (row.fallback, row.responded),
    "NoResponse": lambda row: (row.requests - row.responded, row.requests),
    "IncompleteTraces": lambda row: (row.incomplete, row.requests),
}


class Stage(NamedTuple):
    """A component at a placement."""

    placement: str
    stage: str
    component: str

    @property
    def labels(self) -> dict[str, str]:
        return self._asdict()


class CountStore(Protocol):
    """Where the counts come from. Blocks; raises `Unavailable`."""

    def counts(self, first: int, last: int) -> AlertCounts:
        """Of the windows from first to last, both inside."""
        ...


class BuiltIn:
    """The source of all built-in signals about sealed windows."""

    def __init__(self, store: CountStore, thresholds: Thresholds) -> None:
        self._store = store
        self._thresholds = thresholds

    def load(self, first: int, last: int) -> "CountedSignals":
        """As SignalSource says."""
        return CountedSignals(self._store.counts(first - HISTORY_S - GAP_S, last), self._thresholds)


def pooled(
    rows: Mapping[int, Row], windows: Sequence[int], shares: Shares[Row], enough: float, span: int = SPAN
) -> tuple[float, float]:
    """bad and total, summed from the newest of the windows (ascending) back until total is enough, over `span` windows
    at most."""
    bad = total = 0.0
    for window in reversed(windows[-span:]):
        row = rows.get(window)
        if row is not None:
            more_bad, more = shares(row)
            bad, total = bad + more_bad, total + more
            if total >= enough:
                break
    return bad, total


class CountedSignals:
    """Implements `Signals`."""

    def __init__(self, counts: AlertCounts, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._windows = counts.windows
        self._placements: dict[str, dict[int, PlacementCounts]] = defaultdict(dict)
        self._stages: dict[Stage, dict[int, StageCounts]] = defaultdict(dict)
        self._latencies: dict[Stage, dict[int, tuple[float, int]]] = defaultdict(dict)
        self._letters = counts.letters
        self._events: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))  # by component, "" for all
        for placement in counts.placements:
            self._placements[placement.placement][placement.window] = placement
        for stage in counts.stages:
            self._stages[Stage(stage.placement, stage.stage, stage.component)][stage.window] = stage
            self._events[stage.component][stage.window] += stage.n
            self._events[""][stage.window] += stage.n
        self._pressures = Pressures(counts.pressures, counts.slots)
        for each in counts.latencies:
            self._latencies[Stage(each.placement, each.stage, each.component)][each.window] = each.p95, each.n

    def at(self, window: int, active: Collection[AlertState]) -> Iterator[Signal]:
        """As Signals says."""
        recent = [each for each in self._windows if window - SPAN * WINDOW_S < each <= window]
        history = [each for each in self._windows if window - GAP_S - HISTORY_S <= each < window - GAP_S]
        yield from self._shares(window, recent)
        yield from self._failures(window, recent)
        yield from self._traffic(recent, history, _frozen(active, "TrafficCollapse"))
        for name in ("ComponentSilent", "EventsMissing"):
            yield from self._missing(name, window, recent, history, _frozen(active, name))
        yield from self._yields(window, recent, history, _frozen(active, "YieldShift"))
        yield from self._pressed(window, recent, history)
        yield from self._slow(window, history)
        yield from self._dead(
            window, recent, {each.labels["component"] for each in active if each.alert == "DeadLetters"}
        )

    def _of(self, name: str, placement: str = "", component: str = "") -> Definition | None:
        return self._thresholds.of(_BY_NAME[name], placement, component)

    def _shares(self, window: int, recent: Sequence[int]) -> Iterator[Signal]:
        for placement, rows in self._placements.items():
            if window not in rows:
                continue
            for name, shares in PLACEMENT_SHARES.items():
                if definition := self._of(name, placement):
                    bad, total = pooled(rows, recent, shares, definition.min_total)
                    yield Signal(definition, {"placement": placement}, bad, total)

    def _failures(self, window: int, recent: Sequence[int]) -> Iterator[Signal]:
        for where, rows in self._stages.items():
            if window not in rows:
                continue
            if definition := self._of("StageFailing", where.placement, where.component):
                yield Signal(definition, where.labels, *pooled(rows, recent, _failed, definition.min_total))
            if where.stage == "retrieval" and (definition := self._of("SourceEmpty", where.placement, where.component)):
                yield Signal(definition, where.labels, *pooled(rows, recent, _nothing, definition.min_total))

    def _traffic(self, recent: Sequence[int], history: Sequence[int], frozen: "Frozen") -> Iterator[Signal]:
        newest = recent[-TRAFFIC:]
        for placement in self._placements.keys() | {labels["placement"] for labels, _ in frozen.values()}:
            definition = self._of("TrafficCollapse", placement)
            if definition is None or len(newest) < TRAFFIC:
                continue
            rows = self._placements.get(placement, {})
            requests = sum(rows[window].requests for window in newest if window in rows)
            usual = TRAFFIC * self._usual(rows, history)
            labels = {"placement": placement}
            expected = frozen.get(_key(labels), (labels, usual))[1]
            yield Signal(definition, labels, total=expected, value=requests, baseline=usual or None)

    @staticmethod
    def _usual(rows: Mapping[int, PlacementCounts], history: Sequence[int]) -> float:
        """Median of the requests in a window; 0 while too little is known."""
        first = min(rows, default=0)
        known = [rows[window].requests if window in rows else 0 for window in history if window >= first]
        return median(known) if rows and len(known) >= LEAST_HISTORY else 0.0

    def _missing(
        self, name: str, window: int, recent: Sequence[int], history: Sequence[int], frozen: "Frozen"
    ) -> Iterator[Signal]:
        """Events of a component for each request of its placement, now and before. What may be chance is as before."""
        known = {Stage(**labels) for labels, _ in frozen.values()}
        for where in [*self._stages, *(known - self._stages.keys())]:
            definition = self._of(name, where.placement, where.component)
            requests = self._placements.get(where.placement, {})
            if definition is None or where.stage in _ENDS or window not in requests:
                continue
            rows = self._stages.get(where, {})
            before = self._before(rows, requests, history)
            rate = frozen.get(_key(where.labels), (where.labels, before.value))[1]
            if not rate:
                continue
            seen, asked = self._pair(rows, requests, recent, definition.min_total / rate)
            text = {"expected": f"{rate * asked:,.0f}"}
            value = seen / asked if asked else None
            usual = before._replace(part=rate * before.whole)
            if asked and before.n and not _fewer(usual, Share(seen, asked, asked)):
                value = max(seen / asked, rate)
            yield Signal(definition, where.labels, seen, rate * asked, value, before.value or None, text=text)

    @staticmethod
    def _before(
        rows: Mapping[int, StageCounts], requests: Mapping[int, PlacementCounts], history: Sequence[int]
    ) -> Share:
        """Events of all requests; of none while too little is known."""
        first = min(rows, default=0)
        known = [window for window in history if window in requests and window >= first]
        if not rows or len(known) < LEAST_HISTORY:
            return Share(0, 0, 0)
        asked = sum(requests[window].requests for window in known)
        return Share(sum(rows[window].n for window in known if window in rows), asked, asked)

    @staticmethod
    def _pair(
        rows: Mapping[int, StageCounts], requests: Mapping[int, PlacementCounts], recent: Sequence[int], enough: float
    ) -> tuple[float, float]:
        """Events and requests of the newest windows with enough requests."""

        def counts(row: PlacementCounts) -> tuple[float, float]:
            return (rows[row.window].n if row.window in rows else 0), row.requests

        return pooled(requests, recent, counts, enough)

    def _yields(self, window: int, recent: Sequence[int], history: Sequence[int], frozen: "Frozen") -> Iterator[Signal]:
        for where, rows in self._stages.items():
            definition = self._of("YieldShift", where.placement, where.component)
            if definition is None or where.stage in _ENDS or window not in rows:
                continue
            now, before = flow(rows, recent, definition.min_total), flow(rows, history)
            usual = before.rate if before.windows >= LEAST_HISTORY else 0.0
            known = frozen.get(_key(where.labels))
            if not now.given or not (known or usual):
                continue
            # once it began, the time before is no longer what it was then
            value = now.rate if known else compared(now, before)
            text = {"percall": number(now.per_call), "before": number(before.per_call)}
            yield Signal(definition, where.labels, now.passed, now.calls, value, usual or None, text=text)

    def _pressed(self, window: int, recent: Sequence[int], history: Sequence[int]) -> Iterator[Signal]:
        for each in self._pressures.at(window, recent[-TRAFFIC:], history, LEAST_HISTORY):
            if definition := self._of("RulePressure", each.placement):
                text = {
                    "value": f"{each.now:.2f}", "baseline": f"{each.before or 0:.2f}", "rule": each.rule or "No rule",
                    "share_now": percent(each.share_now), "share_before": percent(each.share_before),
                }  # fmt: skip
                labels = {"placement": each.placement}
                yield Signal(definition, labels, total=each.requests, value=each.now, baseline=each.before, text=text)

    def _slow(self, window: int, history: Sequence[int]) -> Iterator[Signal]:
        names: tuple[str, ...]
        for where, rows in self._latencies.items():
            if window not in rows or where.stage in _ENDS:
                continue
            value, n = rows[window]
            before = [rows[each][0] for each in history if each in rows]
            usual = median(before) if len(before) >= LEAST_HISTORY else None
            names = ("StageLatencyShift",) if where.stage else ("LatencyHigh", "LatencyShift")
            labels = where.labels if where.stage else {"placement": where.placement}
            for name in names:
                if definition := self._of(name, where.placement, where.component):
                    yield Signal(definition, labels, total=n, value=value, baseline=usual)

    def _dead(self, window: int, recent: Sequence[int], told: Collection[str]) -> Iterator[Signal]:
        """Broken bytes may name anything: only who sends sound events, too, is named, or did when it was told of."""
        named = self._events.keys() | told
        found: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for letter in self._letters:
            found[letter.component if letter.component in named else ""][letter.window] += letter.letters
        for component, letters in found.items():
            definition = self._of("DeadLetters", component=component)
            events = self._events.get(component, {})
            if definition is None or not (window in letters or window in events):
                continue
            rows = {each: (letters.get(each, 0), events.get(each, 0)) for each in recent}
            bad, total = pooled(rows, recent, lambda row: (row[0], row[0] + row[1]), definition.min_total)
            yield Signal(definition, {"component": component or UNKNOWN}, bad, total)


Frozen = Mapping[tuple[tuple[str, str], ...], tuple[dict[str, str], float]]


def _frozen(active: Iterable[AlertState], name: str) -> Frozen:
    """By labels: what an alert that is pending or firing compares with, also when it is gone from the history."""
    return {
        _key(state.labels): (state.labels, state.frozen)
        for state in active
        if state.alert == name and state.frozen is not None
    }


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _fewer(before: Share, now: Share) -> bool:
    """By more than chance. Of a component with several events a request each of them counts as a part of one."""
    most = max(before.value, 1.0)
    return likelihood(*(share._replace(whole=share.whole * most) for share in (before, now))) <= -CHANCE


def _failed(row: StageCounts) -> tuple[float, float]:
    return row.failed, row.n


def _nothing(row: StageCounts) -> tuple[float, float]:
    """Calls that succeeded and brought nothing: those that failed bring nothing either, and are counted as that."""
    return max(row.zero_out - row.failed, 0), row.n
