"""A close look at one in many healthy events: what is allowed and still looks like a producer's mistake."""

from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any, Final, Literal, NamedTuple

from schemas.checks import parse
from schemas.errors import Invalid
from schemas.events import MODELS, Adjustment
from schemas.exact import check

Kind = Literal[
    "invalid",  # the contract refuses what ClickHouse took
    "unknown_field",
    "unequal_lengths",
    "wrong_count",  # a count differs from its list although the lists were not capped
    "unaccounted",  # candidates came in that neither went out nor were dropped
    "empty_item",
    "duplicate_item",
    "zero_position",  # positions count from 1
]
_SHOWN: Final = 64  # characters of a field name: it labels a metric
_ADJUSTMENT: Final = frozenset(Adjustment.model_fields)
_FILTERS: Final = frozenset({"filtering", "cutoff"})


class Finding(NamedTuple):
    """One kind of mistake in one field, at most once an event."""

    kind: Kind
    field: str


def audit(raw: bytes) -> list[Finding]:
    """What is odd about one event that was taken; empty for a healthy one. Raises nothing."""
    try:
        check(raw)
        event = {name: value for name, value in parse(raw).items() if value is not None}
    except Invalid as error:
        return [Finding("invalid", error.field[:_SHOWN])]
    return list(dict.fromkeys(_findings(event)))


def _findings(event: Mapping[str, Any]) -> Iterator[Finding]:
    yield from _unknown(event)
    yield from _items(event)
    if not event.get("truncated"):
        yield from _counts(event)
    if any(each.get("position") == 0 for each in event.get("adjustments", ())):
        yield Finding("zero_position", "adjustments")


def _unknown(event: Mapping[str, Any]) -> Iterator[Finding]:
    known = MODELS[event["stage"]].model_fields
    yield from (Finding("unknown_field", name[:_SHOWN]) for name in event if name not in known)
    inner = {name for each in event.get("adjustments", ()) for name in each}
    yield from (Finding("unknown_field", f"adjustments.{name}"[:_SHOWN]) for name in sorted(inner - _ADJUSTMENT))


def _items(event: Mapping[str, Any]) -> Iterator[Finding]:
    items, scores = event.get("items", []), event.get("scores")
    if scores is not None and len(scores) != len(items):
        yield Finding("unequal_lengths", "scores")
    for field, column in [("items", items), *(("dropped", each) for each in event.get("dropped", {}).values())]:
        if "" in column:
            yield Finding("empty_item", field)
        if len(set(map(str, column))) < len(column):
            yield Finding("duplicate_item", field)


def _counts(event: Mapping[str, Any]) -> Iterator[Finding]:
    items, dropped, counts = event.get("items"), event.get("dropped", {}), event.get("dropped_counts", {})
    n_in, n_out = event.get("n_in"), event.get("n_out", _length(items))
    if items is not None and n_out != len(items):
        yield Finding("wrong_count", "n_out")
    if any(len(column) != counts.get(reason, len(column)) for reason, column in dropped.items()):
        yield Finding("wrong_count", "dropped_counts")
    gone = sum(counts.get(reason, _length(dropped.get(reason))) or 0 for reason in _union(dropped, counts))
    if event["stage"] in _FILTERS and n_in is not None and n_out is not None and n_in != n_out + gone:
        yield Finding("unaccounted", "n_in")


def _union(*groups: Iterable[str]) -> set[str]:
    return {each for group in groups for each in group}


def _length(column: Sized | None) -> int | None:
    return None if column is None else len(column)
