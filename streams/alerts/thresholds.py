"""Other thresholds than the default ones, for all or for one placement, source or component: what a YAML file says.

    EmptyResponses:
      threshold: 0.01
      placements:
        followed: {threshold: 0.65}
    SourceEmpty:
      components:
        new_arrivals: {threshold: 0.9, severity: ticket}
        cart/new_arrivals: {enabled: false}

The most particular one counts, field by field: placement/component, component, placement, all.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.alerts import Severity
from streams.alerts.definitions import DEFINITIONS, NAMES
from streams.alerts.model import Definition, Kind

MOST_WINDOWS: Final = 30


class BadThresholds(ValueError):  # noqa: N818
    """A line for each thing that is wrong: file, field, what is allowed."""


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool | None = None
    severity: Severity | None = None
    threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    clear: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    floor: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    objective: Annotated[float, Field(gt=0, lt=1)] | None = None
    min_total: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    needed: Annotated[int, Field(ge=1, le=MOST_WINDOWS)] | None = None
    of: Annotated[int, Field(ge=1, le=MOST_WINDOWS)] | None = None
    quiet: Annotated[int, Field(ge=1, le=MOST_WINDOWS)] | None = None


class _Alert(_Fields):
    placements: dict[str, _Fields] = {}
    components: dict[str, _Fields] = {}


class Thresholds:
    """The definition that holds at a placement and for a component; None where it is switched off."""

    def __init__(self, file: str = "", content: object = None) -> None:
        """content: of the file, parsed. Raises BadThresholds."""
        self._alerts = _read(file, {} if content is None else content)
        self._known: dict[tuple[str, str, str], Definition | None] = {}
        for definition in DEFINITIONS:  # errors come at the start, not at the first alert
            alert = self._alerts.get(definition.name, _Alert())
            for where in [
                "",
                *(f"placements.{name}" for name in alert.placements),
                *(f"components.{n}" for n in alert.components),
            ]:
                self._check(file, definition, where)

    def of(self, definition: Definition, placement: str = "", component: str = "") -> Definition | None:
        """The definition with what the file says of it here."""
        key = definition.name, placement, component
        if key not in self._known:
            self._known[key] = self._merged(definition, placement, component)
        return self._known[key]

    def _merged(self, definition: Definition, placement: str, component: str) -> Definition | None:
        alert = self._alerts.get(definition.name)
        if alert is None:
            return definition
        said: dict[str, Any] = {}
        for fields in (
            alert, alert.placements.get(placement), alert.components.get(component),
            alert.components.get(f"{placement}/{component}"),
        ):  # fmt: skip
            if fields is not None:
                said |= fields.model_dump(exclude_none=True, exclude={"placements", "components"})
        if not said.pop("enabled", True):
            return None
        return replace(definition, **said)

    def _check(self, file: str, definition: Definition, where: str) -> None:
        kind, _, name = where.partition(".")
        placement, _, component = name.rpartition("/") if kind == "components" else (name, "", "")
        field = ".".join(filter(None, [definition.name, where]))
        try:
            merged = self._merged(definition, placement, component if kind == "components" else "")
        except ValueError as error:
            raise BadThresholds(f"{file}: {field}: {error}") from None
        if merged is None:
            return
        if merged.objective is not None and definition.objective is None:
            raise BadThresholds(f"{file}: {field}.objective: only alerts on error budgets have one")
        if merged.kind is Kind.SHARE and merged.threshold > 1:
            raise BadThresholds(f"{file}: {field}.threshold is {merged.threshold:g}: it is a share, from 0 to 1")


def _read(file: str, content: object) -> Mapping[str, _Alert]:
    if not isinstance(content, dict):
        raise BadThresholds(f"{file}: must hold thresholds by the name of the alert: {', '.join(NAMES)}")
    alerts, problems = {}, []
    for name, fields in content.items():
        if name not in NAMES:
            problems.append(f"{file}: {name} is no alert{_nearest(str(name))}")
            continue
        try:
            alerts[name] = _Alert.model_validate({} if fields is None else fields)
        except ValidationError as error:
            problems += _problems(file, name, error)
    if problems:
        raise BadThresholds("\n".join(problems))
    return alerts


def _problems(file: str, name: str, error: ValidationError) -> Iterator[str]:
    for each in error.errors():
        field = ".".join([name, *(str(part) for part in each["loc"])])
        known = f"; known are {', '.join(_Alert.model_fields)}" if each["type"] == "extra_forbidden" else ""
        said = "is no field" if known else f"is {each['input']!r}: {each['msg'].replace('Input should', 'must')}"
        yield f"{file}: {field} {said}{known}"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, NAMES, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(NAMES)}"
