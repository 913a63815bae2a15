"""What the items are (`rectrace.catalog`, compacted, keyed by item)."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from pydantic import BeforeValidator, Field, ValidationError

from schemas.checks import invalid, parse, record_key
from schemas.errors import REASONS, Invalid
from schemas.fields import ItemId, Label, Model, Moment, at_most, label_text
from schemas.limits import MAX_ATTRIBUTES
from schemas.parts import CatalogRow
from schemas.wire import epoch_ms


def _attributes(value: object) -> object:
    """Scalars as text, lists and objects as JSON text, null left out."""
    if not isinstance(value, Mapping):
        return value
    return {name: _attribute_text(each) for name, each in value.items() if each is not None}


def _attribute_text(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else label_text(value)


Attributes = Annotated[
    dict[Label, str],
    BeforeValidator(_attributes, json_schema_input_type=Annotated[dict[Label, Any], Field(max_length=MAX_ATTRIBUTES)]),
    at_most(MAX_ATTRIBUTES),
]


class CatalogItem(Model):
    """The state of one item. The record's key is the item; a record without a value deletes it."""

    item: ItemId | None = Field(default=None, description="If given, equal to the record's key")
    title: str | None = None
    brand: Label | None = None
    category: Label | None = None
    price: float | None = Field(default=None, ge=0)
    available: bool | None = None
    created_at: Moment | None = Field(default=None, description="RFC 3339 with zone, or epoch milliseconds")
    image_url: str | None = None
    attributes: Attributes | None = Field(
        default=None, description="Anything else that rules and people ask about; stored as text"
    )


def decode_catalog(key: bytes | None, raw: bytes | None, record_at: int) -> CatalogRow:
    """One record of the catalogue topic; raw None: a tombstone; record_at: epoch ms. Raises `Invalid`."""
    item = record_key(key, "item")
    if raw is None:
        return CatalogRow(item=item, record_at=record_at, deleted=True)
    try:
        state = CatalogItem.model_validate(parse(raw))
    except ValidationError as error:
        raise invalid(error) from None
    except RecursionError:  # an attribute that could just be read
        raise Invalid("too_deep", "$.attributes", REASONS["too_deep"]) from None
    if state.item is not None and state.item != item:
        raise Invalid("wrong_value", "$.item", "is another item than the record's key")
    return CatalogRow(
        item=item,
        record_at=record_at,
        title=state.title or "",
        brand=state.brand or "",
        category=state.category or "",
        price=state.price,
        available=state.available,
        created_at=None if state.created_at is None else epoch_ms(state.created_at),
        image_url=state.image_url or "",
        attributes=state.attributes or {},
    )
