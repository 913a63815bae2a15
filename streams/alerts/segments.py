"""The signals of segments: which of thousands are worse than the other requests. Pure but for `load`.

Looked at every five minutes. The slots that end with the window are scanned one by one, metric by metric
(streams/detect/scan.py); what is a hit in all of them is told. What is usual are the six hours before them, of which at
least one must be known. Where placements differ (a feed of followed shops is often empty), more or less traffic at one
of them changes the share of bad requests of all together, and nothing is wrong: so what is usual is weighted as the
placements are asked now.

Once told, a segment stays so as long as it is a hit, also when another one says it better by now. A threshold of one
placement may be higher than that of all, not lower: there is one scan.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from schemas.alerts import AlertState
from schemas.parts import WINDOW_S
from schemas.trends import SLOT_S, SegmentCounts
from streams.alerts.due import read_due
from streams.alerts.measures import MEASURES, Measure
from streams.alerts.model import SLOT, Definition, Signal
from streams.alerts.slot_definitions import SEGMENT_WORSE
from streams.alerts.text import number, percent
from streams.alerts.thresholds import Thresholds
from streams.detect.burn import Counts
from streams.detect.scan import ALL, Cell, Hit, Key, Scanner, ScanPolicy, scan

USUAL_S: Final = 6 * 3_600
LEAST_USUAL_S: Final = 3_600
_PLACEMENT: Final = "placement="


class SegmentStore(Protocol):
    """Where the counts come from. Blocks; raises `Unavailable`."""

    def segments(self, since: int, first: int, last: int) -> Sequence[SegmentCounts]:
        """From `since` until before `first` as the usual time, from there to `last`, inside, in slots of five minutes;
        windows in epoch seconds."""
        ...


class Segments:
    """The source of these signals."""

    def __init__(self, store: SegmentStore, thresholds: Thresholds) -> None:
        self._store = store
        self._thresholds = thresholds

    def load(self, first: int, last: int) -> "SegmentSignals":
        """As SignalSource says."""
        definition = self._thresholds.of(SEGMENT_WORSE)
        found = read_due(definition, first, last, self._read) if definition else {}
        return SegmentSignals(found, self._thresholds)

    def _read(self, window: int) -> Sequence[SegmentCounts]:
        definition = self._thresholds.of(SEGMENT_WORSE) or SEGMENT_WORSE
        begin = first_slot(definition, window)
        return self._store.segments(begin - USUAL_S, begin, window)


class SegmentSignals:
    """Implements `Signals`. found: by the window at which it is looked at."""

    def __init__(self, found: Mapping[int, Sequence[SegmentCounts]], thresholds: Thresholds) -> None:
        self._found = found
        self._thresholds = thresholds
        self._definition = thresholds.of(SEGMENT_WORSE)

    def at(self, window: int, active: Collection[AlertState]) -> Iterator[Signal]:
        """As Signals says: the most lost good events first."""
        rows, definition = self._found.get(window), self._definition
        if not rows or definition is None:
            return
        known = min((row.since for row in rows if row.time == 0), default=window)
        if known > first_slot(definition, window) - LEAST_USUAL_S:
            return
        signals = [
            signal
            for name, measure in MEASURES.items()
            for signal in self._of(name, measure, rows, definition, _told(active, name))
        ]
        yield from sorted(signals, key=lambda each: -(each.value or 0.0) * each.total)

    def _of(
        self, name: str, measure: Measure, rows: Sequence[SegmentCounts], definition: Definition, told: Collection[Key]
    ) -> Iterator[Signal]:
        policy = ScanPolicy(min_requests=definition.min_total, least=definition.threshold, in_a_row=definition.needed)
        slots = _slots(rows, measure, definition.needed)
        lasting = _lasting(slots, policy)
        now = {hit.key: hit for hit in scan(slots[-1], policy)} if told else {}
        going = [now[key] for key in told if key in now]
        related = [hit for hit in lasting if not any(hit.key <= each.key or hit.key > each.key for each in going)]
        for hit in [*going, *related]:
            yield from self._signal(definition, name, hit.key, slots[-1][hit.key], hit)
        for key in told:
            if key not in now:
                yield from self._signal(definition, name, key, slots[-1].get(key, Cell(0, 0)), None)

    def _signal(self, definition: Definition, name: str, key: Key, cell: Cell, hit: Hit | None) -> Iterator[Signal]:
        """The state machine need not wait for hits in a row: the scanner has."""
        placement, segment = _names(key)
        here = self._thresholds.of(SEGMENT_WORSE, placement)
        if here is None:
            return
        every = definition.needed * SLOT
        judged = replace(here, needed=1, of=1, every=every, stale=max(here.stale, every + 1))
        labels = {"placement": placement, "segment": segment, "metric": name}
        labels = {label: value for label, value in labels.items() if value}
        if hit is None:
            yield Signal(judged, labels, cell.bad, cell.total, 0.0)
            return
        text = {
            "segment": segment or "Everything", "placement": placement or "all placements",
            "actual": percent(hit.actual), "expected": percent(hit.expected), "lost": number(round(hit.lost)),
            "what": MEASURES[name].says,
        }  # fmt: skip
        yield Signal(judged, labels, cell.bad, cell.total, hit.actual - hit.expected, text=text)


def first_slot(definition: Definition, window: int) -> int:
    """The first window of the slots that are scanned when one is due."""
    return window + WINDOW_S - definition.needed * SLOT_S


def _lasting(slots: Iterable[Mapping[Key, Cell]], policy: ScanPolicy) -> list[Hit]:
    """What is a hit in all of the slots, rolled up."""
    scanner, hits = Scanner(policy), []
    for cells in slots:
        hits = scanner.add(cells)
    return hits


def _told(active: Collection[AlertState], metric: str) -> list[Key]:
    return [
        _key(state.labels.get("placement", ""), state.labels.get("segment", ""))
        for state in active
        if state.alert == SEGMENT_WORSE.name and state.labels["metric"] == metric
    ]


def _key(placement: str, segment: str) -> Key:
    return frozenset(filter(None, [placement and _PLACEMENT + placement, segment]))


def _names(key: Key) -> tuple[str, str]:
    """Placement and segment; empty: all."""
    placement = next((name for name in key if name.startswith(_PLACEMENT)), "")
    return placement.removeprefix(_PLACEMENT), next((name for name in key if name != placement), "")


Table = dict[tuple[str, str], Counts]  # by placement and segment


def _slots(rows: Iterable[SegmentCounts], measure: Measure, number: int) -> list[dict[Key, Cell]]:
    """The cells of each slot, oldest first. Left out are placements of which nothing usual is known."""
    times: list[Table] = [{} for _ in range(number + 1)]
    for row in rows:
        if not row.segment.startswith(_PLACEMENT):
            times[row.time][row.placement, row.segment] = measure.counts(row.counts)
    usual = times[0]
    held = {placement for (placement, segment), counts in usual.items() if not segment and counts.total > 0}
    return [_cells({where: each for where, each in now.items() if where[0] in held}, usual) for now in times[1:]]


def _cells(now: Table, usual: Table) -> dict[Key, Cell]:
    """What is usual is scaled, placement by placement, to how often it is asked now, and all by one factor to about as
    many requests as there were."""
    totals = {placement: counts.total for (placement, segment), counts in now.items() if not segment}
    scale = sum(usual[each, ""].total for each in totals) / max(sum(totals.values()), 1)
    shared = _at_several(now)
    sums: dict[Key, list[float]] = defaultdict(lambda: [0.0] * len(Cell._fields))

    def add(key: Key, counts: Counts, before: Counts, weight: float) -> None:
        for place, more in enumerate([*counts, before.bad * weight, before.total * weight]):
            sums[key][place] += more

    for (placement, segment), counts in now.items():
        before = usual.get((placement, segment), Counts(0, 0))
        weight = scale * totals[placement] / usual[placement, ""].total
        add(_key(placement, segment), counts, before, weight)
        if not segment:
            add(ALL, counts, before, weight)
        elif segment in shared:
            add(_key("", segment), counts, before, scale * counts.total / before.total if before.total else 0.0)
    return {key: Cell(*each) for key, each in sums.items()}


def _at_several(now: Table) -> set[str]:
    """Segments at two placements or more: at one alone, all of it is what is there."""
    seen: dict[str, int] = defaultdict(int)
    for _, segment in now:
        seen[segment] += 1
    return {segment for segment, times in seen.items() if segment and times > 1}
