"""Field types that the pydantic models share: ids, times, columns of candidates, labels."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas import limits
from schemas.wire import in_range

_RFC3339: Final = Annotated[datetime, msgspec.Meta(tz=True)]


class Model(BaseModel):
    """What travels: strict types, unknown fields ignored, null means absent, instances are frozen."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _null_means_absent(cls, data: object) -> object:
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


def id_text(value: object) -> object:
    """A number as its digits (ClickHouse cannot tell 15 from "15"); anything else unchanged."""
    if type(value) is str:
        return value
    value = _builtin(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def user_text(value: object) -> object:
    """A whole number as its digits; anything else unchanged."""
    value = _builtin(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def label_text(value: object) -> object:
    """A segment or experiment value as the text that is stored: true, false, 3, 2.5."""
    value = _builtin(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)) else value


def _builtin(value: Any) -> Any:
    """numpy arrays and scalars, and anything else with `tolist`, as builtin lists and numbers."""
    return value.tolist() if hasattr(value, "tolist") else value


def _column(value: object) -> object:
    value = _builtin(value)
    return tuple(value) if isinstance(value, list) else value


def _ids(value: object) -> object:
    value = _column(value)
    return tuple(map(id_text, value)) if isinstance(value, tuple) else value


def _numbers(value: object) -> object:
    value = _column(value)
    return tuple(map(_builtin, value)) if isinstance(value, tuple) else value


def _labels(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {name: label_text(label) for name, label in value.items() if label is not None}


def at_most(most: int) -> BeforeValidator:
    """Refuse an object with more members before any is looked at: each could be an error of its own."""

    def check(value: object) -> object:
        if isinstance(value, Mapping) and len(value) > most:
            raise PydanticCustomError("wrong_value", "more than {most} members", {"most": most})
        return value

    return BeforeValidator(check)


def _moment(value: object) -> datetime | int | float:
    value = _builtin(value)
    if isinstance(value, str | datetime):
        try:
            moment: datetime | int | float = msgspec.convert(value, _RFC3339)
        except msgspec.ValidationError as error:
            reason = "wrong_value" if "timezone" in str(error) else "wrong_type"
            raise PydanticCustomError(reason, "expected RFC 3339 with a zone, such as 2026-03-01T12:00:00Z") from None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = value
    else:
        raise PydanticCustomError("wrong_type", "expected RFC 3339 text or epoch milliseconds")
    if not in_range(moment):
        raise PydanticCustomError(
            "wrong_value", "not epoch milliseconds between 1973 and 2286 (is it seconds? multiply by 1000)"
        )
    return moment


Name = Annotated[str, StringConstraints(min_length=1, max_length=limits.MAX_NAME)]
Label = Annotated[str, StringConstraints(max_length=limits.MAX_NAME)]
Count = Annotated[int, Field(ge=0, le=limits.MAX_COUNT)]
Float32 = Annotated[float, Field(ge=-limits.MAX_FLOAT32, le=limits.MAX_FLOAT32)]
UserId = Annotated[Label, BeforeValidator(user_text, json_schema_input_type=Label | int)]
ItemId = Annotated[str, BeforeValidator(id_text, json_schema_input_type=str | float)]
NamedId = Annotated[Name, BeforeValidator(id_text, json_schema_input_type=Name | float)]
FAIL_FAST: Final = Field(fail_fast=True)  # a list may hold a million values, and each wrong one would be an error
Items = Annotated[tuple[str, ...], FAIL_FAST, BeforeValidator(_ids, json_schema_input_type=list[str | float])]
Scores = Annotated[
    tuple[Float32 | None, ...],
    FAIL_FAST,
    BeforeValidator(_numbers, json_schema_input_type=list[Float32 | None]),
]
_FewLabels: Final = Field(max_length=limits.MAX_LABELS)
Labels = Annotated[
    dict[Label, Label],
    BeforeValidator(_labels, json_schema_input_type=Annotated[dict[Label, Label | float | bool | None], _FewLabels]),
    at_most(limits.MAX_LABELS),
]
_FewNames: Final = Field(max_length=limits.MAX_EXPECTS)
Names = Annotated[
    tuple[Name, ...],
    _FewNames,
    FAIL_FAST,
    BeforeValidator(_column, json_schema_input_type=Annotated[list[Name], _FewNames]),
]
Moment = Annotated[
    datetime | int | float,
    BeforeValidator(
        _moment,
        json_schema_input_type=datetime | Annotated[float, Field(ge=limits.MIN_EPOCH_MS, le=limits.MAX_EPOCH_MS)],
    ),
]
