"""What a rule that acts does to lists that were really served: candidates and scores of past requests, arranged by the
rules of now with it and without it."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl

from rectrace.client.rules import Request, RuleBook
from schemas.rules import Active, Rule
from sinks.clickhouse.reader import Period, Reader
from sinks.clickhouse.rows import utc
from streams.rules.acting import CANDIDATES
from streams.rules.pressure import model_order

REQUESTS: Final = 200  # of a sample
BUDGET_S: Final = 15.0  # seconds: a thousand rules over long lists take long
AT_ONCE: Final = 500  # items looked up by one question
_OF_ITEM: Final = ("title", "brand", "category", "price", "available", "created_at")
_BEFORE: Final = ("scoring", "reranking", "ordering")  # stages whose lists rules get


@dataclass(frozen=True)
class Case:
    """One past request, as rules would have got it. items, scores: the list before business logic."""

    request: Request
    items: list[str]
    scores: list[float | None]
    served: list[str]


@dataclass(frozen=True)
class Slate:
    """One list before and after; picked: the candidates of it that the rule picks."""

    request: Request
    before: list[str]
    after: list[str]
    picked: frozenset[str]


@dataclass
class Effects:
    """Over a sample. lost, gained: served slots by item."""

    requests: int = 0
    picked: int = 0  # requests in which the rule picks a candidate
    changed: list[Slate] = field(default_factory=list)
    slots: int = 0
    moved: int = 0  # places that hold another item than before
    alike: int = 0  # places that, arranged anew by the rules of now, hold what was really served
    lost: Counter[str] = field(default_factory=Counter)
    gained: Counter[str] = field(default_factory=Counter)
    conflicts: Counter[tuple[str, str]] = field(default_factory=Counter)  # (kind, other rule): with this rule
    catalog: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: str = ""

    def by(self, name: str) -> list[tuple[str, int, int]]:
        """(value, lost, gained) of slots by brand or category, those that change most first."""
        lost, gained = Counter[str](), Counter[str]()
        for item, n in self.lost.items():
            lost[str(self.catalog.get(item, {}).get(name) or "")] += n
        for item, n in self.gained.items():
            gained[str(self.catalog.get(item, {}).get(name) or "")] += n
        both = [(value, lost[value], gained[value]) for value in lost | gained]
        return sorted(both, key=lambda each: (-abs(each[2] - each[1]), each[0]))


def cases(rows: Iterable[Mapping[str, Any]]) -> list[Case]:
    """Of rows of the query rule_sample; without those whose list is not known whole."""
    return [case for case in map(_case, rows) if case is not None]


def _case(row: Mapping[str, Any]) -> Case | None:
    lists = [_List(*each) for each in row["lists"]]
    acts = next((place for place, each in enumerate(lists) if each.stage == "business_logic"), len(lists))
    before = [each for each in lists[:acts] if each.stage in _BEFORE]
    if not before or before[-1].truncated or not before[-1].items:
        return None
    scored = sorted((each for each in lists if each.stage == "scoring"), key=lambda each: -each.attempt)
    scores = dict(model_order([list(zip(each.items, each.scores, strict=False)) for each in scored]))
    items = before[-1].items
    if before[-1].stage == "scoring":  # nothing has ordered them: as the model does
        items = sorted(dict.fromkeys(items), key=lambda item: -scores.get(item, float("-inf")))
    request = Request(
        utc(row["at"]), placement=row["placement"] or None, request_id=row["request_id"],
        user_id=row["user_id"] or None, k=row["k"] or len(row["served"]), segments=row["segments"],
        experiments=row["experiments"], context=_context(row["context"]),
    )  # fmt: skip
    return Case(request, items, [scores.get(item) for item in items], list(row["served"]))


@dataclass(frozen=True)
class _List:
    stage: str
    attempt: int
    truncated: bool
    items: list[str]
    scores: list[float | None]


def _context(text: str) -> dict[str, str]:
    try:
        known = json.loads(text or "{}")
    except ValueError:
        return {}
    top = known.items() if isinstance(known, dict) else ()
    return {name: each if isinstance(each, str) else json.dumps(each) for name, each in top if each is not None}


def compare(
    sample: Sequence[Case],
    catalog: Mapping[str, Mapping[str, Any]],
    rules: Sequence[Rule],
    rule: Rule,
) -> Effects:
    """What the rule changes, whatever the time that it is in force for, in as many of the sample as there is time for.
    rules: all in force, whether or not it is among them; catalog: of the candidates, by item."""
    others = [each for each in rules if each.id != rule.id]
    before, after, now = RuleBook(others), RuleBook([*others, always(rule)]), RuleBook(rules)
    items = _frame(catalog)
    found = Effects(failed=after.failed.get(rule.id, ""), catalog={name: dict(row) for name, row in catalog.items()})
    ends = time.monotonic() + BUDGET_S
    for case in sample:
        if time.monotonic() > ends:
            break
        _add(found, case, items, (before, after, now), rule)
    found.changed.sort(key=lambda each: -sum(map(str.__ne__, each.before, each.after)))
    return found


def always(rule: Rule) -> Rule:
    """The same rule, in force at any time: what it would have done is asked before its time comes."""
    return rule.model_copy(update={"active": Active()})


def _add(
    found: Effects, case: Case, items: pl.DataFrame, books: tuple[RuleBook, RuleBook, RuleBook], rule: Rule
) -> None:
    k, at = case.request.k or len(case.served), case.request.at
    given = pl.DataFrame({"item": case.items, "score": case.scores}, schema={"item": pl.String, "score": pl.Float64})
    candidates = given.join(items, on="item", how="left", maintain_order="left")
    candidates = candidates.with_columns(pl.col("in_catalog").fill_null(value=False))
    before, after, now = (book.apply(candidates, case.request, k, at) for book in books)
    found.requests += 1
    found.failed = found.failed or after.failed.get(rule.id, "")
    old, new = before.items[:k], after.items[:k]
    found.slots += len(old)
    found.alike += sum(map(str.__eq__, now.items[:k], case.served))
    picked = {str(each["item"]) for each in after.adjustments if each["rule_id"] == rule.id}
    picked |= set(after.dropped.get(rule.id, ()))
    found.picked += bool(picked)
    for each in after.conflicts:
        if rule.id in (each.winner, each.loser):
            found.conflicts[each.kind, each.loser if each.winner == rule.id else each.winner] += 1
    if old != new:
        found.moved += sum(map(str.__ne__, old, new)) + abs(len(old) - len(new))
        found.changed.append(Slate(case.request, old, new, frozenset(picked)))
        gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
        found.lost.update(gone)
        found.gained.update(come)


def _frame(catalog: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    rows = [
        {
            "item": item, "in_catalog": True, **{name: row.get(name) for name in _OF_ITEM},
            "attributes": [{"key": key, "value": value} for key, value in row.get("attributes", {}).items()],
        }
        for item, row in catalog.items()
    ]  # fmt: skip
    schema = {name: CANDIDATES[name] for name in ("item", "in_catalog", *_OF_ITEM, "attributes")}
    return pl.DataFrame(rows, schema=schema)


def sample(reader: Reader, period: Period, many: int = REQUESTS) -> list[Case]:
    """Sealed requests of a period, answered by business logic."""
    return cases(reader.ask("rule_sample", {**period.parameters, "limit": many}))


def catalog_of(reader: Reader, sampled: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """What the catalogue says now of all their candidates."""
    items = list(dict.fromkeys(item for case in sampled for item in case.items))
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(items), AT_ONCE):
        found |= reader.catalog(items[first : first + AT_ONCE])
    return {item: row | {"created_at": _time(row["created_at"])} for item, row in found.items()}


def _time(at: datetime | None) -> datetime | None:
    return None if at is None else utc(at)
