"""Requests by which a rule shows what it means: some that it finds at fault, some that it does not."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from schemas.catalog import Attributes
from schemas.fields import Count, Float32, ItemId, Label, Labels, Model, Moment, Name, UserId
from schemas.limits import MAX_ATTEMPT, MAX_DURATION_MS
from schemas.pipeline import Stage, Status

MOST: Final = 50  # examples of one rule, items of one example


def as_tuple(value: object) -> object:
    """A list as the tuple that a frozen model holds; anything else unchanged."""
    return tuple(value) if isinstance(value, list) else value


Texts = Annotated[tuple[Label, ...], BeforeValidator(as_tuple)]
Duration = Annotated[float, Field(ge=0, le=MAX_DURATION_MS)]


class Strict(Model):
    """What people write: a field that there is not is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class ItemExample(Strict):
    """One item as it was served, with its catalogue entry as of then."""

    item: ItemId | None = Field(default=None, description="Default: item-1, item-2, ... in order")
    score: Float32 | None = None
    model_rank: Count | None = Field(default=None, description="1-based place by score")
    sources: Texts = ()
    in_catalog: bool = Field(default=True, description="Whether the catalogue has an entry of it")
    title: str | None = None
    brand: Label | None = None
    category: Label | None = None
    price: float | None = Field(default=None, ge=0)
    available: bool | None = None
    created_at: Moment | None = None
    attributes: Attributes | None = None


class StageExample(Strict):
    """One event of a stage."""

    stage: Stage
    component: Name
    attempt: Annotated[int, Field(ge=0, le=MAX_ATTEMPT)] = 0
    status: Status = "ok"
    duration_ms: Duration | None = None
    n_in: Count | None = None
    n_out: Count | None = None


class Example(Strict):
    """One request and what was served; what is not given is unknown."""

    note: str = ""
    at: Moment = Field(default="2026-06-15T12:00:00Z", validate_default=True)
    placement: Label = "home"
    user_id: UserId | None = None
    k: Count | None = Field(default=None, description="Slots asked for; default: as many as were served")
    segments: Labels | None = None
    experiments: Labels | None = None
    context: Mapping[str, Any] | None = None
    responded: bool = True
    served_by: Literal["primary", "fallback"] = "primary"
    total_ms: Duration | None = None
    statuses: Texts = ()
    missing: Texts = ()
    stages: Annotated[tuple[StageExample, ...], BeforeValidator(as_tuple), Field(max_length=MOST)] = ()
    items: Annotated[tuple[ItemExample, ...], BeforeValidator(as_tuple), Field(max_length=MOST)] = ()


Several = Annotated[tuple[Example, ...], BeforeValidator(as_tuple), Field(max_length=MOST)]


class Examples(Strict):
    """What `rectrace rules test` runs."""

    violates: Several = ()
    passes: Several = ()
