"""What must be in ClickHouse, computed in Python from the records of the topics alone."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.kills.topics import Record

WINDOW = 10  # seconds

Identity = tuple[str, str, int]  # stage, component, attempt
Cell = tuple[Any, ...]


@dataclass(frozen=True)
class Stage:
    """One event, with what a trace must hold of it."""

    identity: Identity
    record_at: int
    hash: int
    body: Mapping[str, Any] = field(compare=False, repr=False)

    @property
    def items(self) -> list[str]:
        return list(self.body.get("items") or [])

    @property
    def dropped(self) -> dict[str, list[str]]:
        return dict(self.body.get("dropped") or {})


@dataclass(frozen=True)
class Trace:
    """A request as it must be after merging; window in epoch seconds, None for an orphan."""

    request_id: str
    window: int | None
    request: Stage | None
    stages: Mapping[Identity, Stage]
    hashes: frozenset[tuple[Identity, int]]  # of all its events, those that lost to another of their identity too

    @property
    def conflicts(self) -> int:
        return len(self.hashes) - len(self.stages)


@dataclass
class Truth:
    """Everything that the topics held."""

    traces: dict[str, Trace]
    events: int

    @property
    def homed(self) -> dict[str, Trace]:
        """Those that have a request event, and so a window."""
        return {name: trace for name, trace in self.traces.items() if trace.window is not None}

    @property
    def windows(self) -> set[int]:
        return {trace.window for trace in self.traces.values() if trace.window is not None}


def truth(records: Iterable[Record]) -> Truth:
    """Join the records by request id and merge each: of one identity the lowest (record time, hash) wins."""
    found: dict[str, list[Stage]] = defaultdict(list)
    events = 0
    for record in records:
        body = record.body
        identity = (body["stage"], body["component"], body.get("attempt", 0))
        found[body["request_id"]].append(Stage(identity, record.timestamp, record.hash, body))
        events += 1
    return Truth({name: _merge(name, stages) for name, stages in found.items()}, events)


def _merge(request_id: str, stages: list[Stage]) -> Trace:
    stages = sorted(stages, key=lambda stage: (stage.record_at, stage.hash))
    winners: dict[Identity, Stage] = {}
    for stage in stages:
        winners.setdefault(stage.identity, stage)
    request = next((stage for stage in stages if stage.identity[0] == "request"), None)
    window = None if request is None else request.record_at // 1000 // WINDOW * WINDOW
    return Trace(request_id, window, request, winners, frozenset((stage.identity, stage.hash) for stage in stages))


# --- what is counted: each a dictionary of sums by (window, placement, ...)


def stage_counts(traces: Iterable[Trace]) -> Counter[Cell]:
    """By window, placement, stage, component, version and measure."""
    counts: Counter[Cell] = Counter()
    for trace, request in _with_request(traces):
        for (stage, component, _), event in trace.stages.items():
            place = (trace.window, request["placement"], stage, component, event.body.get("version", ""))
            counts[(*place, "n")] += 1
            counts[(*place, "n_out")] += len(event.items)
            counts[(*place, "zero_out")] += stage != "request" and not event.items
    return +counts


def segment_counts(traces: Iterable[Trace]) -> Counter[Cell]:
    """By window, placement, segment and measure."""
    counts: Counter[Cell] = Counter()
    for trace, request in _with_request(traces):
        response = _response(trace)
        served = len(response.items) if response else 0
        present = {name for stage, component, _ in trace.stages for name in (stage, component)}
        measures = {
            "requests": 1,
            "responded": response is not None,
            "empty": response is not None and not served,
            "short": response is not None and served < request["k"],
            "incomplete": bool(set(request.get("expects", ())) - present),
            "conflicts": trace.conflicts,
            "slots": request["k"],
            "served": served,
        }
        for segment in ("", *_segments(request)):
            for name, value in measures.items():
                counts[(trace.window, request["placement"], segment, name)] += int(value)
    return +counts


def outcome_counts(traces: Iterable[Trace]) -> Counter[Cell]:
    """By window, placement, segment (the total and countries), item and measure: n over all fates, and the served."""
    counts: Counter[Cell] = Counter()
    for trace, request in _with_request(traces):
        response = _response(trace)
        served = {item: rank for rank, item in reversed([*enumerate(response.items, 1)])} if response else {}
        candidates = {item for stage in trace.stages.values() for item in _mentioned(stage)}
        for segment in ("", f"country={request['segments']['country']}"):
            for item in candidates:
                place = (trace.window, request["placement"], segment, item)
                counts[(*place, "n")] += 1
                counts[(*place, "served")] += item in served
                counts[(*place, "position_sum")] += served.get(item, 0)
    return +counts


def rule_counts(traces: Iterable[Trace]) -> Counter[Cell]:
    """By window, rule of tests/kills/rules.py, value that it groups by, and measure."""
    counts: Counter[Cell] = Counter()
    for trace, request in _with_request(traces):
        response = _response(trace)
        served = response.items if response else []
        if response:
            place = (trace.window, "first-ends-in-7", request["placement"])
            counts[(*place, "judged")] += 1
            counts[(*place, "hit")] += served[:1] != [] and served[0].endswith("7")
        place = (trace.window, "short", request["segments"]["country"])
        counts[(*place, "judged")] += 1
        counts[(*place, "hit")] += len(served) < request["k"]
    return +counts


def pressure_counts(traces: Iterable[Trace]) -> Counter[Cell]:
    """By window, placement and measure; no request of the traffic is answered by a fallback."""
    counts: Counter[Cell] = Counter()
    for trace, request in _with_request(traces):
        response, moves = _response(trace), _moves(trace)
        served = response.items if response else []
        scored = any(stage.items for (name, _, _), stage in trace.stages.items() if name == "scoring")
        measures = {
            "requests": 1,
            "judged": scored and bool(served),
            "slots": len(served),
            "slots_by_rules": sum(move["item"] in served for move in moves),
            "adjusted": bool(moves),
        }
        for name, value in measures.items():
            counts[(trace.window, request["placement"], name)] += int(value)
    return +counts


def rule_pressure_counts(traces: Iterable[Trace]) -> Counter[Cell]:
    """By window, placement, rule and measure."""
    counts: Counter[Cell] = Counter()
    for trace, request in _with_request(traces):
        response = _response(trace)
        for move in _moves(trace):  # one a request
            place = (trace.window, request["placement"], move["rule_id"])
            counts[(*place, "requests")] += 1
            counts[(*place, "boosted")] += 1
            counts[(*place, "slots")] += response is not None and move["item"] in response.items
    return +counts


def _with_request(traces: Iterable[Trace]) -> Iterator[tuple[Trace, Mapping[str, Any]]]:
    return ((trace, trace.request.body) for trace in traces if trace.request is not None)


def _response(trace: Trace) -> Stage | None:
    return next((stage for identity, stage in trace.stages.items() if identity[0] == "response"), None)


def _moves(trace: Trace) -> list[Mapping[str, Any]]:
    return [move for stage in trace.stages.values() for move in stage.body.get("adjustments", ())]


def _mentioned(stage: Stage) -> Iterator[str]:
    yield from stage.items
    for items in stage.dropped.values():
        yield from items


def _segments(request: Mapping[str, Any]) -> Iterator[str]:
    for name, value in request["segments"].items():
        yield f"{name}={value}"
    for name, arm in request["experiments"].items():
        yield f"experiment.{name}={arm}"
