"""What `when` may name, with types.

Every field may be NULL: what is not known is not zero and not empty. Fields of the request are there in every scope;
those of an item in scope item, and inside of aggregates in scope slate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from schemas.pipeline import STAGES
from schemas.rule_problems import nearest

Type = Literal["number", "text", "boolean", "time", "list"]
Of = Literal["request", "item"]
Where = Literal["item", "slate", "trace", "candidate"]  # a scope, or a candidate that a rule acts on

NAMED: Final = ("segments", "experiments", "context", "attributes")  # groups of fields whose names are anybody's
STAGE_FIELDS: Final[dict[str, Type]] = {
    "duration_ms": "number",  # of the longest event
    "n_in": "number",
    "n_out": "number",
    "failed": "boolean",  # a timeout or an error
}
PATTERNS: Final = {
    "segments.NAME": "text, of the request",
    "experiments.NAME": "text, of the request",
    "context.NAME": "text, of the request: of its context what is at the top",
    "attributes.NAME": "text, of an item in the catalogue; number(attributes.NAME) is a number",
    f"stage.STAGE.{'|'.join(STAGE_FIELDS)}": "of the request: of all components of a stage",
    f"component.NAME.{'|'.join(STAGE_FIELDS)}": "of the request: of one component",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `name` is the column it has in every frame."""

    name: str
    type: Type
    of: Of
    group: str = ""  # segments, experiments, context, attributes, stage, component
    key: str = ""  # the name within segments and the like; of stages the stage or component
    after: bool = False  # known only once the response is
    may_be_nan: bool = False


def _fields(of: Of, *, after: bool = False, **types: Type) -> dict[str, Field]:
    return {name: Field(name, kind, of, after=after, may_be_nan=name == "score") for name, kind in types.items()}


REQUEST: Final = {
    **_fields("request", request_id="text", placement="text", user_id="text", k="number", at="time"),
    **_fields(
        "request",
        after=True,
        responded="boolean",
        served_by="text",
        n_served="number",
        total_ms="number",
        statuses="list",
        missing="list",
        conflicts="number",
    ),
}
ITEM: Final = _fields(
    "item",
    item="text",
    position="number",
    score="number",
    model_rank="number",
    sources="list",
    in_catalog="boolean",
    title="text",
    brand="text",
    category="text",
    price="number",
    available="boolean",
    created_at="time",
    age_days="number",
)


class Unknown(LookupError):  # noqa: N818
    """A name that is no field where it stands."""


def resolve(path: tuple[str, ...], where: Where, aggregated: bool = False) -> Field:
    """The field of a name such as ("segments", "country"); aggregated: inside of avg() and the like.

    Raises `Unknown`, with the nearest name that there is.
    """
    field = _find(path)
    shown = ".".join(path)
    if field is None:
        raise Unknown(f"unknown field {shown!r}{nearest(shown, _known(where, aggregated))}")
    if field.group == "context" and any(each == "\\" or each < " " for each in field.key):
        raise Unknown("a name with a backslash or a control character cannot be looked up in context")
    if field.of == "item" and where == "slate" and not aggregated:
        raise Unknown(
            f"{shown!r} differs from item to item: use it within avg(), any(), countIf() or another aggregate"
        )
    if field.of == "item" and where == "trace":
        raise Unknown(f"{shown!r} is a field of items, and scope trace has none: use scope item or slate")
    if field.after and where == "candidate":
        raise Unknown(f"{shown!r} is not known yet when a rule acts")
    return field


def _find(path: tuple[str, ...]) -> Field | None:
    first, rest = path[0], path[1:]
    if not rest:
        return REQUEST.get(first) or ITEM.get(first)
    name = ".".join(path)
    if first in NAMED:
        return Field(name, "text", "item" if first == "attributes" else "request", first, name[len(first) + 1 :])
    if first in ("stage", "component") and len(rest) > 1 and rest[-1] in STAGE_FIELDS:
        key = ".".join(rest[:-1])
        if first == "component" or key in STAGES:
            return Field(name, STAGE_FIELDS[rest[-1]], "request", first, key, after=True)
    return None


def _known(where: Where, aggregated: bool) -> Iterable[str]:
    items = where in ("item", "candidate") or aggregated
    yield from (name for name, field in REQUEST.items() if not (field.after and where == "candidate"))
    yield from ITEM if items else ()
    if where != "candidate":
        yield from (f"stage.{stage}.{name}" for stage in STAGES for name in STAGE_FIELDS)
    yield from ("segments.country", "experiments.NAME", "context.NAME", *(("attributes.NAME",) if items else ()))
