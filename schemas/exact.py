"""The exact path: the pydantic models have the last word, and what they take, ClickHouse takes."""

from collections.abc import Iterable
from typing import Final

import msgspec
from pydantic import ValidationError

from schemas.checks import invalid, parse
from schemas.events import ANY_EVENT, Adjustment, Event
from schemas.wire import Envelope

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_objects: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_envelope: Final = msgspec.json.Decoder(Envelope)


def exact(raw: bytes) -> Envelope:
    """Validate one event against the contract; raise `Invalid` naming reason and field.

    The envelope's arrays hold no null where one is refused, no duplicate key and no unknown field; numbers keep the
    digits they came with.
    """
    return _envelope.decode(_canonical(raw, check(raw)))


def check(raw: bytes) -> Event:
    """The event as its stage's model; raise `Invalid` naming reason and field."""
    tree = parse(raw)
    try:
        return ANY_EVENT.validate_python(tree)
    except ValidationError as error:
        raise invalid(error, tag=True) from None


def _canonical(raw: bytes, event: Event) -> bytes:
    """The same event, only what the contract knows, in its order. The parts are the bytes they came as, as a score that
    goes through a float may be stored as another Float32; but not so the counts: ClickHouse refuses -0."""
    fields = _known(_object.decode(raw), type(event).model_fields)
    if "dropped" in fields:
        fields["dropped"] = _encoded(_object.decode(fields["dropped"]))
    if "dropped_counts" in fields:
        fields["dropped_counts"] = _encoded(event.dropped_counts)
    if event.adjustments:
        pairs = zip(_objects.decode(fields["adjustments"]), event.adjustments, strict=True)
        fields["adjustments"] = _encoded([_adjustment(each, model) for each, model in pairs])
    return msgspec.json.encode(fields)


def _adjustment(raw: dict[str, msgspec.Raw], model: Adjustment) -> dict[str, object]:
    fields: dict[str, object] = {**_known(raw, Adjustment.model_fields)}
    return fields if model.position is None else {**fields, "position": model.position}


def _known(fields: dict[str, msgspec.Raw], names: Iterable[str]) -> dict[str, msgspec.Raw]:
    return {name: fields[name] for name in names if name in fields and bytes(fields[name]) != b"null"}


def _encoded(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
