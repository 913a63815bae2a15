"""What a merged trace and the fates of its candidates are, in plain Python: one request at a time, no cleverness.

Written from the design's words, to hold the SQL against. Brute force on purpose: it asks every event everything.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.parts import Event
from schemas.pipeline import CUTTING_STAGES, PARALLEL_STAGES, STAGES


@dataclass(frozen=True)
class Stage:
    """One winning event of a trace."""

    stage: str
    component: str
    attempt: int
    status: str
    truncated: bool
    items: list[str] | None
    scores: list[float | None]
    drops: list[tuple[str, str]]  # (item, reason) in the order stated
    payload: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        return self.status in ("timeout", "error")


@dataclass(frozen=True)
class Trace:
    """One request, merged."""

    request: Mapping[str, Any]
    stages: list[Stage]
    conflicts: int
    missing: list[str] = field(default_factory=list)

    @property
    def response(self) -> Stage | None:
        """Of several response events the last in pipeline order answers."""
        return next((s for s in reversed(self.stages) if s.stage == "response"), None)

    @property
    def served_by(self) -> str:
        return (self.response.payload.get("served_by") or "primary") if self.response else ""


class Fate(NamedTuple):
    """How one candidate ended."""

    fate: str
    stage: str
    component: str
    reason: str
    position: int
    dropped_earlier: bool
    sources: list[str]
    score: float | None
    model_rank: int


def merge(events: Iterable[Event], expected: Mapping[str, Sequence[str]]) -> Trace | None:
    """The union of events by identity; None without a request event. expected: by placement, where the request itself
    names nothing."""
    every = list(events)
    identities: dict[tuple[str, str, int], list[Event]] = {}
    for each in every:
        envelope = each.envelope
        identities.setdefault((envelope.stage, envelope.component, envelope.attempt or 0), []).append(each)
    requests = [each for each in every if each.envelope.stage == "request"]
    if not requests:
        return None
    lowest = json.loads(min(requests, key=_order).raw)
    winners = [min(same, key=_order) for same in identities.values()]
    trace = Trace(
        request=lowest,
        stages=[_stage(each) for each in sorted(winners, key=_pipeline_order)],
        conflicts=sum(len({each.hash for each in same}) - 1 for same in identities.values()),
    )
    present = {name for s in trace.stages for name in (s.stage, s.component, f"{s.stage}/{s.component}")}
    wanted = [] if trace.served_by == "fallback" else (lowest.get("expects") or expected.get(lowest["placement"], ()))
    trace.missing.extend(name for name in wanted if name not in present)
    return trace


def fates(trace: Trace) -> dict[str, Fate]:
    """One fate a candidate: every item that any event but a request lists or drops."""
    working = [s for s in trace.stages if s.stage != "request"]
    candidates = {item for s in working for item in s.items or []}
    candidates |= {item for s in working for item, _ in s.drops}
    return {item: _fate(item, trace) for item in candidates}


def _order(each: Event) -> tuple[int, int]:
    return each.record_at, each.hash


def _pipeline_order(each: Event) -> tuple[int, int, int, str, int]:
    envelope = each.envelope
    last = 2**32 - 1
    return (
        STAGES.index(envelope.stage),
        last if envelope.seq is None else envelope.seq,
        envelope.ts_ms,
        envelope.component,
        envelope.attempt or 0,
    )


def _stage(each: Event) -> Stage:
    payload = json.loads(each.raw)
    drops = [(str(item), reason) for reason, items in (payload.get("dropped") or {}).items() for item in items]
    drops += [(str(a["item"]), a["rule_id"]) for a in payload.get("adjustments") or [] if a["action"] == "drop"]
    items = payload.get("items")
    return Stage(
        stage=payload["stage"],
        component=payload["component"],
        attempt=payload.get("attempt") or 0,
        status=payload.get("status") or "ok",
        truncated=bool(payload.get("truncated")),
        items=None if items is None else [str(item) for item in items],
        scores=[None if s is None else float32(s) for s in payload.get("scores") or []],
        drops=drops,
        payload=payload,
    )


def float32(number: float) -> float:
    return float(struct.unpack("f", struct.pack("f", number))[0])


def _fate(item: str, trace: Trace) -> Fate:
    stages, response = trace.stages, trace.response
    dropped_anywhere = any(item == dropped for s in stages if s.stage != "request" for dropped, _ in s.drops)
    served = response.items if response and response.items else []
    position = served.index(item) + 1 if item in served else 0
    ending = ("served", "response", "", "") if position else _ending(item, trace)
    sources = sorted({s.component for s in stages if s.stage == "retrieval" and item in (s.items or [])})
    return Fate(*ending, position, bool(position) and dropped_anywhere, sources, *_model(item, stages))


def _ending(item: str, trace: Trace) -> tuple[str, str, str, str]:
    stages = trace.stages
    listed = [e for e, s in enumerate(stages) if s.stage != "request" and item in (s.items or [])]
    dropped = [e for e, s in enumerate(stages) if s.stage != "request" and item in [i for i, _ in s.drops]]
    decides = max(stages[e].attempt for e in listed + dropped)
    for e in dropped:
        if stages[e].attempt == decides:
            reason = next(reason for i, reason in stages[e].drops if i == item)
            return "dropped", stages[e].stage, stages[e].component, reason
    return _gone(max(e for e in listed if stages[e].attempt == decides), trace)


def _gone(e: int, trace: Trace) -> tuple[str, str, str, str]:
    """Gone after event e, with no reason stated."""
    last = trace.stages[e]
    later = [
        s
        for s in trace.stages[e + 1 :]
        if (s.items is not None or s.failed) and not (s.stage == last.stage and s.stage in PARALLEL_STAGES)
    ]
    if not later:
        return "no_response", "response", "", ""
    at = next((s for s in later if s.attempt == last.attempt), later[0])
    if at.failed:
        return "stage_failed", at.stage, at.component, at.status
    if at.truncated:
        return "truncated", at.stage, at.component, ""
    if at.stage in CUTTING_STAGES:
        return "cut", at.stage, at.component, ""
    if between := _missing_between(last.stage, at.stage, trace.missing):
        return "stage_missing", *between, ""
    if trace.served_by == "fallback":
        return "fallback", at.stage, at.component, ""
    if trace.response is None:
        return "no_response", "response", "", ""
    return "unexplained", at.stage, at.component, ""


def _missing_between(before: str, after: str, missing: Iterable[str]) -> tuple[str, str] | None:
    """(stage, component) of the first that was expected to work between two stages; either may be unknown."""
    first, last = STAGES.index(before), STAGES.index(after)
    for name in missing:
        stage, _, component = name.partition("/")
        if stage not in STAGES:  # a component alone: nobody knows its stage, but there is room for one
            if last - first > 1:
                return "", name
        elif first < STAGES.index(stage) < last or (
            STAGES.index(stage) in (first, last) and stage not in PARALLEL_STAGES
        ):
            return stage, component
    return None


def _model(item: str, stages: Sequence[Stage]) -> tuple[float | None, int]:
    """(score, rank) of the last scoring event that gave this item a score: highest attempt, then pipeline order."""
    found: tuple[float | None, int] = (None, 0)
    decides = -1
    for s in stages:
        if s.stage != "scoring" or s.attempt < decides:
            continue
        scored = [(score, at) for at, (_, score) in enumerate(_scored(s)) if score is not None]
        ranked = sorted(scored, key=lambda pair: (-pair[0], pair[1]))
        names = [_scored(s)[at][0] for _, at in ranked]
        if item in names:
            rank = names.index(item)
            found, decides = (ranked[rank][0], rank + 1), s.attempt
    return found


def _scored(s: Stage) -> list[tuple[str, float | None]]:
    items = s.items or []
    scores = [*s.scores[: len(items)], *[None] * (len(items) - len(s.scores))]
    return list(zip(items, scores, strict=True))
