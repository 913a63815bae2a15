"""Two requests side by side: what differs in who asked, stages, sources, order and reasons. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rectrace.story import Candidate, Row, StageLine, Story, ending
from rectrace.terminal import number
from streams.rules.pressure import rbo

SAME_SCORE: Final = 1e-6  # scores are single floats


@dataclass(frozen=True)
class Fact:
    """One thing that both requests have, and how: equal or not."""

    name: str
    left: str
    right: str

    @property
    def differs(self) -> bool:
        """Whether it is not the same."""
        return self.left != self.right


@dataclass(frozen=True)
class Counts:
    """How often something happened in each."""

    name: str
    left: int
    right: int


@dataclass(frozen=True)
class ItemPair:
    """One item in both requests; None: it was no candidate."""

    item: str
    title: str
    left: Candidate | None
    right: Candidate | None

    def difference(self) -> str:
        """In words; empty if the two went the same way."""
        if self.left is None or self.right is None:
            there = self.left or self.right
            side = "left" if self.left else "right"
            return f"a candidate only {side}: {there.ended}" if there else ""
        return "; ".join(_differences(self.left, self.right))


@dataclass(frozen=True)
class Comparison:
    """Everything that is told of two requests."""

    left: Story
    right: Story
    facts: list[Fact]  # of the requests themselves, then of their stages
    sources: list[Counts]  # candidates
    ends: list[Counts]  # how candidates ended
    items: list[ItemPair]  # the served first, by their best position

    @property
    def served_by_both(self) -> int:
        """Items."""
        return sum(bool(pair.left and pair.left.position and pair.right and pair.right.position) for pair in self.items)

    @property
    def overlap(self) -> float | None:
        """Rank-biased overlap of the two slates, 0 to 1; None if one is empty."""
        # at the depth of the longer one, so that it is the same from both sides
        shorter, longer = sorted((_slate(self.left), _slate(self.right)), key=len)
        return rbo(shorter, longer) if shorter else None

    def headline(self) -> str:
        """The answer: how much of what was served is the same."""
        served = [_slate(self.left), _slate(self.right)]
        if not all(served):
            empty = " and ".join(side for side, slate in zip(("left", "right"), served, strict=True) if not slate)
            return f"Nothing was served {empty}."
        if served[0] == served[1]:
            return f"Both served the same {len(served[0])} items in the same order."
        same = f"{self.served_by_both} of {len(served[0])} items served left were served right, too"
        return f"{same} (rank-biased overlap {self.overlap:.2f})."


def compare(left: Story, right: Story) -> Comparison:
    """Put the comparison together."""
    ours, theirs = ({each.item: each for each in story.candidates} for story in (left, right))
    pairs = [_pair(item, ours.get(item), theirs.get(item)) for item in {**ours, **theirs}]
    return Comparison(
        left,
        right,
        [*_facts(left, right), *_stages(left, right)],
        _counts(_sources(left), _sources(right)),
        _counts(_ends(left), _ends(right)),
        sorted(pairs, key=_order),
    )


def beside(story: Story, before: Sequence[Row], near: Sequence[Row]) -> dict[str, str]:
    """Requests worth comparing with: what they are, and their ids. before: its user's earlier ones, newest first; near:
    those of its placement at about the same time, of which the nearest counts."""
    told = {"its user's request before": str(before[0]["request_id"])} if before else {}
    others = [row for row in near if row["request_id"] != story.request_id]
    others.sort(key=lambda row: abs((row["at"] - story.at).total_seconds()))
    for name, arm in sorted(story.experiments.items()):
        arms = {row["experiments"].get(name): str(row["request_id"]) for row in reversed(others)}
        told |= {f"{name}={other}": found for other, found in sorted(arms.items(), key=str) if other not in (arm, None)}
    if others:
        told["the nearest in time at its placement"] = str(others[0]["request_id"])
    return told


def _pair(item: str, left: Candidate | None, right: Candidate | None) -> ItemPair:
    there = left or right
    return ItemPair(item, there.title if there else "", left, right)


def _slate(story: Story) -> list[str]:
    return [each.item for each in story.slate]


def _order(pair: ItemPair) -> tuple[Any, ...]:
    sides = [each for each in (pair.left, pair.right) if each]
    position = min((each.position for each in sides if each.position), default=None)
    rank = min((each.model_rank for each in sides if each.model_rank), default=None)
    return position is None, position, not pair.difference(), rank is None, rank, pair.item


def _facts(left: Story, right: Story) -> Iterator[Fact]:
    plain = {"placement": "placement", "user_id": "user", "k": "slots", "served_by": "served by"}
    for name, said in plain.items():
        yield Fact(said, str(getattr(left, name)), str(getattr(right, name)))
    yield Fact("status", ", ".join(left.statuses) or "ok", ", ".join(right.statuses) or "ok")
    yield Fact("total, ms", number(left.total_ms), number(right.total_ms))
    yield Fact("expected and not come", ", ".join(left.missing), ", ".join(right.missing))
    for prefix, ours, theirs in (
        ("", left.segments, right.segments),
        ("experiment ", left.experiments, right.experiments),
    ):
        for name in sorted({*ours, *theirs}):
            yield Fact(f"{prefix}{name}", ours.get(name, ""), theirs.get(name, ""))


def _stages(left: Story, right: Story) -> Iterator[Fact]:
    ours, theirs = _by_name(left), _by_name(right)
    for name in {**ours, **theirs}:
        yield Fact(name, _said(ours.get(name)), _said(theirs.get(name)))


def _by_name(story: Story) -> Mapping[str, StageLine]:
    """The last attempt of each component."""
    return {line.stage if line.component == line.stage else f"{line.stage} · {line.component}": line
            for line in story.stages if line.stage != "request"}  # fmt: skip


def _said(line: StageLine | None) -> str:
    """What is the same in two requests that went the same way: no times."""
    if line is None:
        return "did not come"
    out = f"{number(line.n_out)} out" if line.n_out is not None else ""
    status = "" if line.status == "ok" else f"{line.status}{f': {line.error}' if line.error else ''}"
    moved = f"{line.moved} adjusted" if line.moved else ""
    return ", ".join(filter(None, [line.version, out, moved, status])) or "came"


def _sources(story: Story) -> Counter[str]:
    return Counter({line.source: line.retrieved for line in story.sources})


def _ends(story: Story) -> Counter[str]:
    return Counter(ending(each.fate, each.stage, each.component, each.reason) for each in story.candidates)


def _counts(left: Counter[str], right: Counter[str]) -> list[Counts]:
    """Those that differ most first."""
    told = [Counts(name, left[name], right[name]) for name in {**left, **right}]
    return sorted(told, key=lambda each: (-abs(each.left - each.right), each.name))


def _differences(left: Candidate, right: Candidate) -> Iterator[str]:
    if left.position and right.position and left.position != right.position:
        yield f"served at {left.position}, right at {right.position}"
    elif left.ended != right.ended:
        at = [f"served at {each.position}" if each.position else each.ended for each in (left, right)]
        yield f"{at[0]}, right {at[1]}"
    if left.scorer != right.scorer or _scores_differ(left.score, right.score):
        yield (
            f"score {number(left.score, 3)} (rank {left.model_rank or '-'}), "
            f"right {number(right.score, 3)} (rank {right.model_rank or '-'})"
        )
    ours, theirs = ({each.source for each in side.sources} for side in (left, right))
    if ours != theirs:
        yield f"brought by {_named(ours)}, right by {_named(theirs)}"
    moves = [sorted({f"{move.action} {move.rule_id}" for move in side.moves}) for side in (left, right)]
    if moves[0] != moves[1]:
        yield f"moved by {_named(moves[0])}, right by {_named(moves[1])}"


def _scores_differ(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return left is not right
    return abs(left - right) > SAME_SCORE * max(1.0, abs(left)) and left != right


def _named(names: Sequence[str] | set[str]) -> str:
    return " ".join(sorted(names)) or "none"
