"""The contract: one pydantic model for each stage's event. JSON Schema is exported from these.

Lists of candidates are columns: `items` and `scores` are parallel. Item ids are strings; numbers are stored as their
digits. Lists of unequal length are stored as they are and counted as a finding (schemas/audit.py).
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from schemas import limits
from schemas.fields import (
    Count,
    Float32,
    ItemId,
    Items,
    Label,
    Labels,
    Model,
    Moment,
    Name,
    NamedId,
    Names,
    Scores,
    UserId,
    at_most,
)
from schemas.pipeline import Stage, Status
from schemas.wire import Action

_FewReasons: Final = Field(max_length=limits.MAX_REASONS)
_ON_THE_WIRE: Final = ("schema_version", "request_id", "ts", "stage", "component")


def _require(schema: dict[str, Any]) -> None:
    """schema_version and stage have defaults for who constructs an event; on the wire they are required."""
    schema["required"] = [*_ON_THE_WIRE, *(name for name in schema["required"] if name not in _ON_THE_WIRE)]


class Adjustment(Model):
    """What a rule did to one candidate."""

    rule_id: NamedId = Field(description="The rule. Numbers are stored as their digits.")
    item: ItemId
    action: Action = Field(description="boost, bury: moved by `delta`; pin, inject: set at `position`; drop: removed")
    delta: Float32 | None = Field(default=None, description="What was added to the score")
    position: Count | None = Field(default=None, description="Where it was put, 1-based")


class Event(Model):
    """What every event says. Its identity is (request_id, stage, component, attempt)."""

    model_config = ConfigDict(json_schema_extra=_require)

    schema_version: Literal[1] = 1
    request_id: Name = Field(description="Joins the events of one request; also the best Kafka key")
    ts: Moment = Field(description="When the stage ended: RFC 3339 with zone, or epoch milliseconds")
    stage: Stage
    component: Name = Field(description="Who did it: the candidate source, filter, model or service")
    version: Label | None = Field(default=None, description="Version of the component or model")
    attempt: Annotated[int, Field(ge=0, le=limits.MAX_ATTEMPT)] | None = Field(
        default=None, description="Which run of the stage within the request; absent: 0"
    )
    seq: Count | None = Field(default=None, description="The component's place among those of its stage")
    duration_ms: Annotated[float, Field(ge=0, le=limits.MAX_DURATION_MS)] | None = Field(
        default=None, description="How long the stage took, in milliseconds"
    )
    status: Status | None = Field(default=None, description="absent: ok")
    error: str | None = Field(default=None, description="What went wrong, for people to read")
    n_in: Count | None = Field(default=None, description="Candidates that came in; wins over any list")
    n_out: Count | None = Field(default=None, description="Candidates that went out; absent: the length of items")
    n_unique: Count | None = Field(default=None, description="Merging: distinct candidates over all sources")
    items: Items | None = Field(default=None, description="Candidates that went out, in order")
    scores: Scores | None = Field(
        default=None, description="Scores of `items`, parallel; null where the model gave none"
    )
    dropped: Annotated[dict[Label, Items], _FewReasons, at_most(limits.MAX_REASONS)] | None = Field(
        default=None, description="Removed candidates by reason"
    )
    dropped_counts: Annotated[dict[Label, Count], _FewReasons, at_most(limits.MAX_REASONS)] | None = Field(
        default=None, description="Number removed by reason; wins over dropped"
    )
    adjustments: Annotated[tuple[Adjustment, ...], Field(strict=False, fail_fast=True)] | None = Field(
        default=None, description="What rules did to candidates"
    )
    truncated: bool | None = Field(default=None, description="true: the lists were capped, the counts were not")


class RequestEvent(Event):
    """A request came in. The trace takes its placement, user, segments and experiments from here."""

    stage: Literal["request"] = "request"
    placement: Name = Field(description="Where the list will be shown, such as home or cart")
    k: Count = Field(description="Slots asked for")
    user_id: UserId | None = None
    segments: Labels | None = Field(
        default=None, description="What to slice by. Numbers and booleans are stored as text"
    )
    experiments: Labels | None = Field(default=None, description="Variant by experiment")
    context: dict[str, Any] | None = Field(default=None, description="Anything else worth reading in a trace")
    expects: Names | None = Field(default=None, description="Components, or stages, that will send an event")


class RetrievalEvent(Event):
    """One candidate source answered: items in rank order, scores if it has any."""

    stage: Literal["retrieval"] = "retrieval"


class MergingEvent(Event):
    """Sources were merged: n_in is the sum over them, n_unique what is left without duplicates."""

    stage: Literal["merging"] = "merging"


class FilteringEvent(Event):
    """Candidates were removed: items are those kept, dropped those removed by reason."""

    stage: Literal["filtering"] = "filtering"


class ScoringEvent(Event):
    """A model scored the candidates: items and scores in parallel, in any order."""

    stage: Literal["scoring"] = "scoring"


class OrderingEvent(Event):
    """The candidates in order, scores if the order has its own."""

    stage: Literal["ordering"] = "ordering"


class RerankingEvent(Event):
    """The candidates in their new order."""

    stage: Literal["reranking"] = "reranking"


class BusinessLogicEvent(Event):
    """Rules were applied: items in order, adjustments say which rule did what."""

    stage: Literal["business_logic"] = "business_logic"


class CutoffEvent(Event):
    """The list was cut: items are those kept."""

    stage: Literal["cutoff"] = "cutoff"


class ResponseEvent(Event):
    """The list that was served."""

    stage: Literal["response"] = "response"
    items: Items = Field(description="Items as served, in order; may be empty")
    served_by: Literal["primary", "fallback"] | None = Field(default=None, description="absent: primary")


def _versioned(value: object) -> object:
    """An event on the wire says its version, although the models have a default; one of another is not looked into."""
    if isinstance(value, dict):
        version = value.get("schema_version")
        if version is None:
            raise PydanticCustomError("missing_field", "required field is missing", {"field": "schema_version"})
        if type(version) is not int:
            raise PydanticCustomError("wrong_type", "expected an integer", {"field": "schema_version"})
        if version != limits.SCHEMA_VERSION:
            raise PydanticCustomError(
                "unknown_schema_version",
                "this version is not known; 1 is the newest",
                {"field": "schema_version"},
            )
    return value


AnyEvent = Annotated[
    RequestEvent
    | RetrievalEvent
    | MergingEvent
    | FilteringEvent
    | ScoringEvent
    | OrderingEvent
    | RerankingEvent
    | BusinessLogicEvent
    | CutoffEvent
    | ResponseEvent,
    Field(discriminator="stage"),
    BeforeValidator(_versioned),
]
ANY_EVENT: Final[TypeAdapter[AnyEvent]] = TypeAdapter(AnyEvent)
MODELS: Final[dict[str, type[Event]]] = {
    model.model_fields["stage"].default: model
    for model in (
        RequestEvent,
        RetrievalEvent,
        MergingEvent,
        FilteringEvent,
        ScoringEvent,
        OrderingEvent,
        RerankingEvent,
        BusinessLogicEvent,
        CutoffEvent,
        ResponseEvent,
    )
}
