"""What rules that act do to the candidates of one request, once it is known which rule picks which candidate.

By priority, highest first, ties by rule id:

1. Exclusions take candidates out, whatever else picks them.
2. Boosts and buries change what a candidate is worth. Before, the j-th of the list as it came is worth the j-th highest
   score, so that an order which is not that of the scores (diversity) is kept where no rule acts. Of boosts and buries
   on one candidate those of the kind that comes first act; the others change nothing and are there with delta 0.
3. The list is ordered anew by worth; ties stay in the order in which they came.
4. A pin puts the first candidate that it picks, and that no earlier pin has, at its slot. A slot beyond the list pins
   nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rectrace.client.request import StageFields
from schemas.limits import MAX_FLOAT32
from schemas.rules import Action, Rule

ConflictKind = Literal["boost and bury", "one slot", "one item", "excluded"]
Pick = tuple[Rule, Action, Sequence[int]]  # a rule and the rows that it picks


@dataclass(frozen=True)
class Conflict:
    """Two rules that cannot both have their way with a candidate: `winner` had it, `loser` did not.

    boost and bury: on one candidate. one slot: two pins of one slot. one item: two pins of one candidate. excluded: a
    pin of a candidate that an exclusion has taken out.
    """

    kind: ConflictKind
    winner: str  # rule ids
    loser: str
    item: str  # the loser's


@dataclass(frozen=True)
class Applied:
    """The list after the rules. items and scores are parallel; scores: what the list is ordered by, but for pins.

    adjustments, dropped: as a business_logic event takes them; of `dropped` the reason is the rule's id. eligible:
    candidates that no rule excludes. failed: rules that could not be evaluated and did nothing, with why.
    """

    items: list[str]
    scores: list[float]
    adjustments: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    eligible: int = 0
    k: int | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def over_constrained(self) -> bool:
        """Whether hard rules left fewer candidates than there are slots."""
        return self.k is not None and self.eligible < self.k

    @property
    def fields(self) -> StageFields:
        """`trace.business_logic("rules", applied.items, **applied.fields)`"""
        n_in = len(self.items) + sum(map(len, self.dropped.values()))
        return {"n_in": n_in, "scores": self.scores, "adjustments": self.adjustments, "dropped": self.dropped}


class Arrangement:
    """One list of candidates (rows 0 ...) on its way through the rules. scores: None or NaN where there is none."""

    def __init__(self, items: Sequence[str], scores: Sequence[float | None]) -> None:
        self._items = items
        self._worth = worth(scores)
        self._excluded: dict[int, str] = {}  # row: rule
        self._first: dict[int, tuple[Rule, Action]] = {}  # row: of what moves it, what comes first
        self._adjustments: list[dict[str, Any]] = []
        self._dropped: dict[str, list[str]] = {}
        self._conflicts: list[Conflict] = []

    def apply(self, picks: Sequence[Pick], k: int | None, failed: Mapping[str, str]) -> Applied:
        """Run all steps. picks: those that come first, first."""
        for rule, _, rows in _of(picks, "exclude"):
            self._exclude(rule, rows)
        for rule, action, rows in _of(picks, "boost", "bury"):
            self._score(rule, action, rows)
        kept = [row for row in range(len(self._items)) if row not in self._excluded]
        order = self._pin(_of(picks, "pin"), sorted(kept, key=lambda row: -self._worth[row]))
        return Applied(
            [self._items[row] for row in order],
            [self._worth[row] for row in order],
            self._adjustments,
            self._dropped,
            self._conflicts,
            len(kept),
            k,
            failed,
        )

    def _exclude(self, rule: Rule, rows: Iterable[int]) -> None:
        gone = [row for row in rows if row not in self._excluded]
        self._excluded.update(dict.fromkeys(gone, rule.id))
        if gone:
            self._dropped[rule.id] = [self._items[row] for row in gone]

    def _score(self, rule: Rule, action: Action, rows: Iterable[int]) -> None:
        for row in rows:
            if row in self._excluded:
                continue
            item, before, winner = self._items[row], self._worth[row], self._first.setdefault(row, (rule, action))
            delta = 0.0
            if winner[1].type != action.type:
                self._conflicts.append(Conflict("boost and bury", winner[0].id, rule.id, item))
            else:
                self._worth[row] = after = moved(before, action)
                delta = _bounded(after - before if action.delta is None else action.delta)
            self._adjustments.append({"rule_id": rule.id, "item": item, "action": action.type, "delta": delta})

    def _pin(self, rules: Iterable[Pick], order: list[int]) -> list[int]:
        place = {row: place for place, row in enumerate(order)}
        slots: dict[int, int] = {}  # slot, 0-based: row
        owner: dict[int, Rule] = {}  # row: the rule that pinned it
        for rule, action, rows in rules:
            slot = (action.position or 1) - 1
            if slot < len(order) and self._may_pin(rule, rows, slots.get(slot), owner):
                row = min((row for row in rows if row in place and row not in owner), key=place.__getitem__)
                slots[slot], owner[row] = row, rule
                item = self._items[row]
                self._adjustments.append({"rule_id": rule.id, "item": item, "action": "pin", "position": slot + 1})
        rest = (row for row in order if row not in owner)
        return [slots[slot] if slot in slots else next(rest) for slot in range(len(order))]

    def _may_pin(self, rule: Rule, rows: Sequence[int], taken: int | None, owner: Mapping[int, Rule]) -> bool:
        """Whether a pin finds a candidate and its slot free; if not, the conflict is noted. taken: the row there."""
        eligible = [row for row in rows if row not in self._excluded]
        free = [row for row in eligible if row not in owner]
        if not eligible:
            self._conflicts += [Conflict("excluded", self._excluded[r], rule.id, self._items[r]) for r in rows[:1]]
        elif taken in eligible:
            return False  # both pin the same there
        elif taken is not None:
            self._conflicts.append(Conflict("one slot", owner[taken].id, rule.id, self._items[(free or eligible)[0]]))
        elif not free:
            row = eligible[0]
            self._conflicts.append(Conflict("one item", owner[row].id, rule.id, self._items[row]))
        else:
            return True
        return False


def worth(scores: Sequence[float | None]) -> list[float]:
    """What each place is worth: the scores, highest first; places for which there is none, as much as the lowest."""
    known = [_bounded(score) for score in scores if score is not None and not math.isnan(score)]
    known.sort(reverse=True)
    return known + [known[-1] if known else 0.0] * (len(scores) - len(known))


def moved(score: float, action: Action) -> float:
    """The score after a boost or bury. A factor divides a score below 0, so that a boost never lowers."""
    if action.delta is not None:
        return _bounded(score + action.delta)
    factor = action.factor or 1.0
    return _bounded(score * factor if score >= 0 else score / factor)


def _bounded(score: float) -> float:
    return min(max(score, -MAX_FLOAT32), MAX_FLOAT32)


def precedence(rule: Rule) -> tuple[int, str]:
    """What rules are sorted by: those that come first have their way."""
    return -rule.priority, rule.id


def _of(picks: Sequence[Pick], *kinds: str) -> list[Pick]:
    return [pick for pick in picks if pick[1].type in kinds]
