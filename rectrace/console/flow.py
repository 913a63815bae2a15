"""A request as a flow of candidates: from its sources through the stages to what was served, or why not. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rectrace.story import Candidate, Story
from schemas.pipeline import STAGES

SERVED = "served"


@dataclass(frozen=True)
class Node:
    """Where candidates are. name: says all, and is unique; label: what there is room for."""

    name: str
    label: str
    kind: str  # source, stage, lost or served


@dataclass(frozen=True)
class Link:
    """So many candidates went from one node to another."""

    source: str
    target: str
    count: int


@dataclass(frozen=True)
class Flow:
    """Every candidate enters once and leaves once: what comes into a stage is what goes out of it."""

    nodes: list[Node]
    links: list[Link]


def flow(told: Story) -> Flow:
    """Stages at which no candidate ended are left out. Of several sources that brought the same candidate none is
    counted for it: they are a node of their own."""
    order = _stages(told)
    counts: Counter[tuple[str, str]] = Counter()
    nodes: dict[str, Node] = {}

    def go(source: Node, target: Node) -> None:
        nodes.setdefault(source.name, source)
        nodes.setdefault(target.name, target)
        counts[source.name, target.name] += 1

    steps = [Node(f"reached {stage or 'the end'}", stage or "the end", "stage") for stage in order]
    for candidate in told.candidates:
        lost = candidate.fate != SERVED
        passed = steps[: order.index(candidate.stage) + 1] if lost else steps
        path = [_source(candidate), *passed, _end(candidate)]
        for source, target in pairwise(path):
            go(source, target)
    return Flow(list(nodes.values()), [Link(*ends, count) for ends, count in counts.items()])


def _stages(told: Story) -> list[str]:
    """Those at which candidates ended, in pipeline order: as the request has it, one that sent nothing where it
    usually is, none at all last."""
    ended = {candidate.stage for candidate in told.candidates if candidate.fate != SERVED}
    seen = list(dict.fromkeys(line.stage for line in told.stages))

    def place(stage: str) -> float:
        if stage in seen:
            return seen.index(stage)
        if stage not in STAGES:
            return len(seen)
        before: Sequence[str] = STAGES[: STAGES.index(stage)]
        return max((seen.index(each) for each in before if each in seen), default=-1) + 0.5

    return sorted(ended, key=lambda stage: (place(stage), stage))


def _source(candidate: Candidate) -> Node:
    names = sorted({each.source for each in candidate.sources})
    if not names:
        return Node("brought by no source", "no source", "source")
    if len(names) > 1:
        return Node("found by several sources", "several sources", "source")
    return Node(f"found by {names[0]} alone", names[0], "source")


def _end(candidate: Candidate) -> Node:
    if candidate.fate == SERVED:
        return Node(SERVED, SERVED, SERVED)
    short = candidate.reason if candidate.fate == "dropped" and candidate.reason else candidate.fate
    by = f" · {candidate.component}" if candidate.component else ""
    return Node(candidate.ended, f"{short}{by}", "lost")
