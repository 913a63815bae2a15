"""The events of one request, one line of code a stage."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from schemas.pipeline import Status

# Item ids or scores: a list, a tuple, a numpy array, any iterable.
Column = Iterable[Any]


class StageFields(TypedDict, total=False):
    """What every stage may say; see schemas/events.py."""

    ts: object  # default: now
    version: str
    attempt: int
    seq: int
    duration_ms: float
    status: Status
    error: str
    n_in: int
    n_out: int
    n_unique: int
    scores: Column
    dropped: Mapping[str, Column]
    dropped_counts: Mapping[str, int]
    adjustments: Sequence[object]  # mappings or schemas.events.Adjustment
    truncated: bool


class RequestFields(StageFields, total=False):
    """What a request may say beside its placement and k."""

    user_id: str | int | None
    segments: Mapping[str, str | float | bool | None]
    experiments: Mapping[str, str | float | bool | None]
    context: Mapping[str, object]
    expects: Sequence[str]


class RequestTrace:
    """Publishes the stages of one request. Every method returns True if the event was handed over; none raises."""

    def __init__(self, publish: Callable[[str, str, str, Mapping[str, Any]], bool], request_id: str, api: str) -> None:
        self.request_id = request_id
        self._publish = publish
        self._api = api

    def event(self, stage: str, component: str, items: Column | None, **fields: Any) -> bool:
        """Any stage."""
        return self._publish(stage, self.request_id, component, {"items": items, **fields})

    def retrieval(self, component: str, items: Column, **fields: Unpack[StageFields]) -> bool:
        """A candidate source answered, items in rank order."""
        return self.event("retrieval", component, items, **fields)

    def merging(self, component: str, items: Column, **fields: Unpack[StageFields]) -> bool:
        """Sources were merged; n_in: the sum over them."""
        return self.event("merging", component, items, **fields)

    def filtering(self, component: str, items: Column, **fields: Unpack[StageFields]) -> bool:
        """items: those kept; dropped: those removed, by reason."""
        return self.event("filtering", component, items, **fields)

    def scoring(self, component: str, items: Column, **fields: Unpack[StageFields]) -> bool:
        """A model scored items; scores in parallel, None or NaN where it gave none."""
        return self.event("scoring", component, items, **fields)

    def ordering(self, component: str, items: Column, **fields: Unpack[StageFields]) -> bool:
        """items in order."""
        return self.event("ordering", component, items, **fields)

    def reranking(self, component: str, items: Column, **fields: Unpack[StageFields]) -> bool:
        """items in their new order."""
        return self.event("reranking", component, items, **fields)

    def business_logic(self, component: str, items: Column, **fields: Unpack[StageFields]) -> bool:
        """items in order; adjustments: which rule did what."""
        return self.event("business_logic", component, items, **fields)

    def cutoff(self, component: str, items: Column, **fields: Unpack[StageFields]) -> bool:
        """items: those kept."""
        return self.event("cutoff", component, items, **fields)

    def response(
        self,
        items: Column,
        *,
        component: str | None = None,
        served_by: Literal["primary", "fallback"] = "primary",
        **fields: Unpack[StageFields],
    ) -> bool:
        """The list as served; may be empty."""
        return self.event("response", component or self._api, items, served_by=served_by, **fields)
