"""From what a recommender has at hand (lists, numpy arrays, models) to the JSON that travels."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from pydantic import BaseModel

Document = Mapping[str, Any]


def _builtin(value: Any) -> Any:
    """numpy arrays and scalars as lists and numbers, models as objects, other iterables as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


_encoder: Final = msgspec.json.Encoder(enc_hook=_builtin)


def encode(document: Document) -> bytes:
    """Compact JSON without the fields that are None. NaN and infinite scores become null, as JSON has neither."""
    return _encoder.encode({name: value for name, value in document.items() if value is not None})


def capped(event: Document, most: int) -> Document:
    """The event with its lists cut to `most` entries; n_out and dropped_counts then hold the full numbers.

    event: without fields that are None.
    """
    lists = {name: _sized(event[name]) for name in ("items", "scores") if name in event}
    dropped = {reason: _sized(items) for reason, items in event.get("dropped", {}).items()}
    if max((len(each) for each in (*lists.values(), *dropped.values())), default=0) <= most:
        return {**event, **lists, **({"dropped": dropped} if dropped else {})}
    counts = {"n_out": len(lists["items"])} if "items" in lists else {}
    return {
        **counts,
        **event,
        **{name: each[:most] for name, each in lists.items()},
        "dropped": {reason: items[:most] for reason, items in dropped.items()},
        "dropped_counts": {
            **{reason: len(each) for reason, each in dropped.items()},
            **event.get("dropped_counts", {}),
        },
        "truncated": True,
    }


def _sized(column: Any) -> Any:
    """Something with a length and slices."""
    return column if hasattr(column, "__len__") and hasattr(column, "__getitem__") else list(column)
