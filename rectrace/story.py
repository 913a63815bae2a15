"""One request's journey, put together for people: pure, from rows of sinks/clickhouse/reader.py."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final

Row = Mapping[str, Any]
_SAID: Final = ("no_response", "fallback")  # statuses that the headline has in words


def ending(fate: str, stage: str, component: str, reason: str) -> str:
    """A fate in words."""
    by = f" by {component}" if component else ""
    endings = {
        "served": "served",
        "dropped": f"dropped in {stage}{by}: {reason or 'no reason given'}",
        "cut": f"cut in {stage}{by}: not among those it kept",
        "truncated": f"out of sight in {stage}: {component} capped the list it reported",
        "stage_failed": f"lost in {stage}: {component} ended with {reason or 'a failure'}",
        "stage_missing": f"lost: {stage} was expected and sent nothing",
        "fallback": "not served: the response was a fallback",
        "no_response": "not served: there was no response",
        "unexplained": f"gone in {stage}{by} without a stated reason (unexplained)",
    }
    return endings.get(fate, fate)


@dataclass(frozen=True)
class SourceRank:
    """Where a source had an item in its list."""

    source: str
    rank: int  # 1-based
    score: float | None


@dataclass(frozen=True)
class Move:
    """What a rule did to an item."""

    rule_id: str
    action: str
    component: str
    delta: float | None
    position: int | None


@dataclass(frozen=True)
class Candidate:
    """One item in one request."""

    item: str
    title: str
    fate: str
    stage: str
    component: str
    reason: str
    position: int  # 1-based; 0: not served
    dropped_earlier: bool
    score: float | None
    model_rank: int  # 1-based; 0: not scored
    scorer: str
    scored_of: int  # candidates that the scorer saw
    sources: list[SourceRank] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For people: id and title."""
        return f"{self.item} ({self.title})" if self.title else self.item

    def as_json(self) -> dict[str, Any]:
        """Plain data: what --json prints."""
        return asdict(self) | {"sentence": self.sentence()}

    @property
    def ended(self) -> str:
        """How, in words."""
        return ending(self.fate, self.stage, self.component, self.reason)

    @property
    def brought_by(self) -> str:
        """Its sources, each with its rank there."""
        return " ".join(f"{each.source}#{each.rank}" for each in self.sources)

    def sentence(self) -> str:
        """Its story in one sentence, in the order of the pipeline."""
        return ", ".join([*self._brought(), *self._scored(), *self._moved(), self._ended()])

    def _brought(self) -> list[str]:
        if not self.sources:
            return ["no source brought it"]
        first, *others = self.sources
        also = [f"{each.source} at rank {each.rank}" for each in others]
        return [f"{first.source} brought it at rank {first.rank}", *([f"so did {' and '.join(also)}"] if also else [])]

    def _scored(self) -> list[str]:
        if self.score is None:
            return []
        return [f"{self.scorer} scored it {self.score:.3g} (rank {self.model_rank} of {self.scored_of})"]

    def _moved(self) -> list[str]:
        verbs = {"boost": "boosted", "bury": "buried", "pin": "pinned", "inject": "injected"}
        moves = [move for move in self.moves if move.action in verbs]
        return [f"{verbs[move.action]} by rule {move.rule_id}{_by_how_much(move)}" for move in moves]

    def _ended(self) -> str:
        if self.fate != "served":
            return self.ended
        return f"served at position {self.position}{' although it was dropped earlier' if self.dropped_earlier else ''}"


@dataclass(frozen=True)
class StageLine:
    """One event of the request."""

    stage: str
    component: str
    version: str
    attempt: int
    offset_ms: float | None  # its ts after the request's
    duration_ms: float | None
    status: str
    error: str
    n_in: int | None
    n_out: int | None
    dropped: dict[str, int]
    moved: int  # adjustments


@dataclass(frozen=True)
class SourceLine:
    """One source of the request."""

    source: str
    retrieved: int
    alone: int  # brought by no other source
    served: int


@dataclass(frozen=True)
class End:
    """One way that candidates which were not served ended."""

    fate: str
    stage: str
    component: str
    reason: str
    count: int
    items: list[str]  # up to three of them

    @property
    def what(self) -> str:
        """In words."""
        return ending(self.fate, self.stage, self.component, self.reason)


@dataclass(frozen=True)
class Story:
    """Everything `rectrace why` shows."""

    request_id: str
    at: datetime
    placement: str
    user_id: str
    k: int
    segments: dict[str, str]
    experiments: dict[str, str]
    known: bool  # a request event was seen; without it this is an orphan
    responded: bool
    served_by: str
    n_served: int
    total_ms: float | None
    statuses: list[str]
    missing: list[str]
    conflicts: int
    closed: list[str]  # why its parts closed
    stages: list[StageLine]
    sources: list[SourceLine]
    candidates: list[Candidate]

    @property
    def slate(self) -> list[Candidate]:
        """What was served, by position."""
        return sorted((each for each in self.candidates if each.position), key=lambda each: each.position)

    def candidate(self, item: str) -> Candidate | None:
        """The story of one item, if it was a candidate."""
        return next((candidate for candidate in self.candidates if candidate.item == item), None)

    def ends(self) -> list[End]:
        """How what was not served ended, commonest first."""
        groups: dict[tuple[str, str, str, str], list[str]] = {}
        for candidate in self.candidates:
            if candidate.fate != "served":
                key = (candidate.fate, candidate.stage, candidate.component, candidate.reason)
                groups.setdefault(key, []).append(candidate.item)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        return [End(*key, len(items), items[:3]) for key, items in ordered]

    def headline(self) -> str:
        """The answer: what was served, how fast, and what is wrong with it."""
        if self.responded:
            slots = f" of {self.k} slots" if self.known else ""
            by = " by fallback" if self.served_by == "fallback" else ""
            took = f" in {self.total_ms:,.0f} ms" if self.total_ms is not None else ""
            told = f"served {self.n_served}{slots}{by}{took}"
        else:
            told = "no response"
        return ", ".join([told, *(status for status in self.statuses if status not in _SAID)])

    def warnings(self) -> list[str]:
        """What to know before one believes the rest."""
        told = [f"expected and not come: {', '.join(self.missing)}"] if self.missing else []
        if not self.known:
            told.append("its request event was never seen: an orphan, in no funnel and no metric")
        if self.conflicts:
            told.append(
                f"events that came again with other contents: {self.conflicts}; the first by record time counts"
            )
        return told

    def as_json(self) -> dict[str, Any]:
        """Plain data: what --json prints."""
        candidates = [candidate.as_json() for candidate in self.candidates]
        return asdict(replace(self, candidates=[])) | {"candidates": candidates}


Ranks = Mapping[str, int]
Moves = dict[str, list[Move]]

_COPIED = ("request_id", "at", "placement", "user_id", "k", "n_served", "total_ms", "served_by", "conflicts")
_COPIED_OF_STAGE = ("stage", "component", "version", "attempt", "duration_ms", "status", "error", "n_in")
_COPIED_OF_FATE = ("item", "fate", "stage", "component", "reason", "position", "score", "model_rank")


def tell(trace: Row, fates: Sequence[Row], parts: Sequence[Row], catalog: Mapping[str, Row]) -> Story:
    """Put a story together. catalog: entries by item; an item without one has no title."""
    stages: Sequence[Row] = trace["stages"]
    ranks, moves = [_ranks(stage["items"]) for stage in stages], _moves(stages)
    titles = {item: str(entry["title"]) for item, entry in catalog.items()}
    candidates = [_candidate(fate, stages, ranks, moves, titles.get(fate["item"], "")) for fate in fates]
    return Story(
        **{name: trace[name] for name in _COPIED},
        segments=dict(trace["segments"]),
        experiments=dict(trace["experiments"]),
        known=any(stage["stage"] == "request" for stage in stages),
        responded=bool(trace["responded"]),
        statuses=list(trace["statuses"]),
        missing=list(trace["missing"]),
        closed=sorted({part["closed"] for part in parts}),
        stages=[_stage_line(stage, _start(stages)) for stage in stages],
        sources=_source_lines(candidates),
        candidates=candidates,
    )


def _start(stages: Sequence[Row]) -> datetime:
    requests = [stage["ts"] for stage in stages if stage["stage"] == "request"]
    start: datetime = requests[0] if requests else min(stage["ts"] for stage in stages)
    return start


def _stage_line(stage: Row, start: datetime) -> StageLine:
    drops = {reason: len(items) for reason, items in stage["dropped"].items()} | dict(stage["dropped_counts"])
    return StageLine(
        **{name: stage[name] for name in _COPIED_OF_STAGE},
        offset_ms=(stage["ts"] - start).total_seconds() * 1000,
        n_out=stage["n_out"] if stage["n_out"] is not None or not stage["has_items"] else len(stage["items"]),
        dropped=drops,
        moved=len(stage["adjustments"]),
    )


def _candidate(fate: Row, stages: Sequence[Row], ranks: Sequence[Ranks], moves: Moves, title: str) -> Candidate:
    item = fate["item"]
    listing = [(stage, rank) for stage, rank_of in zip(stages, ranks, strict=True) if (rank := rank_of.get(item))]
    scorers = [stage for stage, _ in listing if stage["stage"] == "scoring"]
    return Candidate(
        **{name: fate[name] for name in _COPIED_OF_FATE},
        title=title,
        dropped_earlier=bool(fate["dropped_earlier"]),
        scorer=scorers[-1]["component"] if scorers else "",
        scored_of=len(scorers[-1]["items"]) if scorers else 0,
        sources=[
            SourceRank(stage["component"], rank, _at(stage["scores"], rank - 1))
            for stage, rank in listing
            if stage["stage"] == "retrieval"
        ],
        moves=moves.get(item, []),
    )


def _ranks(items: Sequence[str]) -> Ranks:
    """The 1-based rank of each item, of one that is listed twice the first."""
    return {item: len(items) - back for back, item in enumerate(reversed(items))}


def _moves(stages: Sequence[Row]) -> Moves:
    """What rules did, by item."""
    made: Moves = {}
    for stage in stages:
        for each in stage["adjustments"]:
            move = Move(each["rule_id"], each["action"], stage["component"], each["delta"], each["position"])
            made.setdefault(each["item"], []).append(move)
    return made


def _source_lines(candidates: Sequence[Candidate]) -> list[SourceLine]:
    retrieved, alone, served = Counter[str](), Counter[str](), Counter[str]()
    for candidate in candidates:
        names = {each.source for each in candidate.sources}
        retrieved.update(names)
        alone.update(names if len(names) == 1 else ())
        served.update(names if candidate.fate == "served" else ())
    return [SourceLine(name, retrieved[name], alone[name], served[name]) for name in sorted(retrieved)]


def _at(values: Sequence[float | None], index: int) -> float | None:
    return values[index] if index < len(values) else None


def _by_how_much(move: Move) -> str:
    if move.position is not None and move.action in ("pin", "inject"):
        return f" {'to' if move.action == 'pin' else 'at'} slot {move.position}"
    return f" ({move.delta:+.3g})" if move.delta is not None else ""
