"""What users did with what was served (`rectrace.interactions`)."""

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from schemas.checks import invalid, parse
from schemas.fields import Count, ItemId, Model, Moment, Name
from schemas.parts import InteractionRow
from schemas.wire import epoch_ms

Kind = Literal["impression", "click", "cart", "purchase", "dismiss"]


class Interaction(Model):
    """One thing a user did. Its identity is (request_id, item, kind, ts)."""

    request_id: Name = Field(description="The request whose response showed the item")
    item: Annotated[ItemId, Field(min_length=1)]
    kind: Kind
    ts: Moment = Field(description="RFC 3339 with zone, or epoch milliseconds")
    position: Count | None = Field(default=None, description="Where it was shown, 1-based")
    value: float | None = Field(default=None, description="What it was worth, such as the price paid")


def decode_interaction(raw: bytes, record_at: int) -> InteractionRow:
    """One record of the interactions topic; record_at: its record time, epoch ms. Raises `Invalid`."""
    try:
        seen = Interaction.model_validate(parse(raw))
    except ValidationError as error:
        raise invalid(error) from None
    return InteractionRow(
        request_id=seen.request_id,
        item=seen.item,
        kind=seen.kind,
        ts=epoch_ms(seen.ts),
        position=seen.position,
        value=seen.value,
        record_at=record_at,
    )
