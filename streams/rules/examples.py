"""The examples of a rule, judged as if they had been served."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.rule_examples import Example, ItemExample
from schemas.rules import Rule
from schemas.wire import epoch_ms
from streams.rules.frames import CATALOG, TRACES
from streams.rules.judge import Judge


@dataclass(frozen=True)
class Outcome:
    """What became of one example."""

    rule_id: str
    violates: bool  # as it says
    number: int  # among those of its kind, from 1 on
    note: str
    right: bool
    why: str  # if it is not right


def outcomes(rule: Rule) -> list[Outcome]:
    """Every example of a rule, judged, whatever its action; one that cannot be judged is wrong."""
    said = [(example, True) for example in rule.examples.violates]
    said += [(example, False) for example in rule.examples.passes]
    judge = Judge([rule.model_copy(update={"action": None})])
    made, numbers = [], {True: 0, False: 0}
    for example, violates in said:
        numbers[violates] += 1
        verdict = judge.judge(*frames([example]))
        found = verdict.hits.height > 0
        why = "" if found == violates else "was not found at fault" if violates else "was found at fault"
        why = verdict.failed.get(rule.id, why)
        made.append(Outcome(rule.id, violates, numbers[violates], example.note, not why, why))
    return made


def request_id(number: int) -> str:
    """The id of the n-th request, from 1 on."""
    return f"example-{number}"


def frames(examples: Iterable[Example]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Traces and the one catalogue of them all, as a judge takes them. Requests are example-1, example-2, ..."""
    traces: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for number, example in enumerate(examples, 1):
        items = [
            item if item.item else item.model_copy(update={"item": f"item-{place}"})
            for place, item in enumerate(example.items, 1)
        ]
        traces.append(_trace(example, number, items))
        entries += [_entry(item, epoch_ms(example.at)) for item in items if item.in_catalog]
    return pl.DataFrame(traces, schema=TRACES), pl.DataFrame(entries, schema=CATALOG).unique(
        ["item", "record_at"], keep="first", maintain_order=True
    )


def _trace(example: Example, number: int, items: Sequence[ItemExample]) -> dict[str, Any]:
    at = epoch_ms(example.at)
    return {
        "request_id": request_id(number),
        "at": at,
        "responded_at": at,
        "placement": example.placement,
        "user_id": example.user_id or "",
        "k": len(items) if example.k is None else example.k,
        "segments": pairs(example.segments),
        "experiments": pairs(example.experiments),
        "context": "" if example.context is None else json.dumps(dict(example.context)),
        "missing": example.missing,
        "responded": example.responded,
        "served_by": example.served_by if example.responded else "",
        "n_served": len(items),
        "total_ms": example.total_ms,
        "statuses": example.statuses,
        "conflicts": 0,
        "served": [item.item for item in items],
        "scores": [item.score for item in items],
        "model_ranks": [item.model_rank or 0 for item in items],
        "sources": [list(item.sources) for item in items],
        "stages": [stage.model_dump() for stage in example.stages],
    }


def _entry(item: ItemExample, at: int) -> dict[str, Any]:
    return {
        "item": item.item,
        "record_at": at,
        "deleted": False,
        "title": item.title or "",
        "brand": item.brand or "",
        "category": item.category or "",
        "price": item.price,
        "available": item.available,
        "created_at": None if item.created_at is None else epoch_ms(item.created_at),
        "attributes": pairs(item.attributes),
    }


def pairs(labels: Mapping[str, str] | None) -> list[dict[str, str]]:
    """A mapping as Arrow has it."""
    return [{"key": key, "value": value} for key, value in (labels or {}).items()]
