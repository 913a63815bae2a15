"""What should hold of what is served, and what business logic does: rules (`rectrace.rules`, compacted, keyed by id).

A rule that watches says in `when` what must not be; one with an `action` says what a recommender does to the candidates
that `when` picks. This is what a rule looks like; what `when` may say is the language of streams/rules.
"""

import hashlib
import json
import re
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.checks import invalid, parse
from schemas.errors import Invalid
from schemas.fields import Moment, Name
from schemas.rule_examples import Examples, Strict, as_tuple
from schemas.rule_problems import Place
from schemas.wire import epoch_ms

Severity = Literal["page", "ticket", "info"]
Scope = Literal["item", "slate", "trace"]
Kind = Literal["exclude", "boost", "bury", "pin"]

MAX_WHEN: Final = 10_000  # characters
MAX_WITHIN: Final = 86_400  # seconds
WINDOW: Final = 10  # seconds: what is counted is counted by windows of this length
_SPAN: Final = re.compile(r"(\d+)\s*(s|m|h)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600}
_GROUP: Final = r"^(placement|served_by|(segments|experiments)\..+)$"

RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Link = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2_000)]
Group = Annotated[str, StringConstraints(pattern=_GROUP, max_length=1_000)]


def _seconds(value: object) -> object:
    """1m as 60; anything else unchanged."""
    if not isinstance(value, str):
        return value
    found = _SPAN.fullmatch(value.strip())
    if not found:
        raise PydanticCustomError("wrong_value", "expected a time span such as 30s, 1m or 1h")
    return int(found[1]) * _UNITS[found[2]]


_Seconds = Annotated[int, Field(ge=WINDOW, le=MAX_WITHIN, multiple_of=WINDOW)]
Seconds = Annotated[_Seconds, BeforeValidator(_seconds, json_schema_input_type=_Seconds | str)]


class Active(Strict):
    """When the rule is in force, by the time of the request: from `from` on, until before `until`."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and epoch_ms(self.since) >= epoch_ms(self.until):
            raise PydanticCustomError("wrong_value", "must be after from", {"field": "until"})
        return self

    @property
    def since_ms(self) -> int | None:
        """Epoch milliseconds, inclusive."""
        return None if self.since is None else epoch_ms(self.since)

    @property
    def until_ms(self) -> int | None:
        """Epoch milliseconds, exclusive."""
        return None if self.until is None else epoch_ms(self.until)


class Fires(Strict):
    """How many requests at fault make it worth telling: all that is given must hold, in a group, within a time."""

    count: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Requests hit; default 1 if no share")
    share: float | None = Field(default=None, gt=0, le=1, description="Requests hit among those judged")
    within: Seconds = Field(default=60, description="30s, 1m, 1h: a multiple of 10 s")
    min_requests: Annotated[int, Field(ge=1)] = Field(default=1, description="Judged, at least")
    group_by: Annotated[tuple[Group, ...], BeforeValidator(as_tuple), Field(max_length=3)] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.group_by)) != len(self.group_by):
            raise PydanticCustomError("wrong_value", "names one field twice", {"field": "group_by"})
        return self


class Action(Strict):
    """What business logic does to a candidate that `when` picks."""

    type: Kind
    delta: float | None = Field(default=None, description="Added to the score: > 0 boosts, < 0 buries")
    factor: float | None = Field(default=None, gt=0, description="The score times this: > 1 boosts, < 1 buries")
    position: Annotated[int, Field(ge=1, le=10_000)] | None = Field(default=None, description="Of a pin, 1-based")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.type in ("boost", "bury"):
            self._fits_score()
        elif self.delta is not None or self.factor is not None:
            raise _wrong("delta" if self.delta is not None else "factor", f"{self.type} changes no score")
        if (self.type == "pin") != (self.position is not None):
            raise _wrong("position", "a pin needs one" if self.type == "pin" else f"{self.type} has none")
        return self

    def _fits_score(self) -> None:
        if (self.delta is None) == (self.factor is None):
            raise _wrong("delta", f"{self.type} needs either delta or factor")
        up = self.type == "boost"
        if self.delta is not None and (self.delta > 0) != up:
            raise _wrong("delta", f"must be {'above' if up else 'below'} 0 for {self.type}")
        if self.factor is not None and ((self.factor > 1) != up or self.factor == 1):
            raise _wrong("factor", f"must be {'above' if up else 'below'} 1 for {self.type}")


def _short(action: object) -> object:
    """`exclude` as `{type: exclude}`; anything else unchanged."""
    return {"type": action} if isinstance(action, str) else action


class Rule(Strict):
    """One rule. `when` that is NULL is not at fault."""

    id: RuleId
    version: str = Field(default="", max_length=100, description="Set by who reads it; see `content_hash`")
    owner: Name = Field(description="Whom to ask: a team, a channel, an address")
    severity: Severity = "ticket"
    scope: Scope = Field(description="What `when` judges: each served item, the served items together, the request")
    when: Annotated[str, StringConstraints(min_length=1, max_length=MAX_WHEN)]
    message: Text = Field(description="What is wrong, for who is called at night")
    runbook: Link | None = None
    active: Active = Active()
    fires: Fires = Fires()
    action: Annotated[Action | None, BeforeValidator(_short, json_schema_input_type=Action | Kind | None)] = None
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = Field(
        default=0, description="Of actions that meet, the highest counts"
    )
    examples: Examples = Examples()

    _place: Place | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _acts_on_items(self) -> Self:
        if self.action is not None and self.scope != "item":
            raise _wrong("scope", "a rule with an action must have scope item")
        return self

    @property
    def place(self) -> Place | None:
        """Where it stands, if it was read from a file."""
        return self._place

    def placed(self, place: Place) -> Self:
        """The same rule, with where it stands."""
        self._place = place
        return self

    @property
    def watches(self) -> bool:
        """True if what `when` picks must not be served: of the rules that act, only those that exclude promise that."""
        return self.action is None or self.action.type == "exclude"


def _wrong(field: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("wrong_value", "{message}", {"field": field, "message": message})


def content_hash(rule: Rule) -> str:
    """16 hexadecimal digits that differ when anything but the version does."""
    content = rule.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"version"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def encode_rule(rule: Rule) -> bytes:
    """The record's value; its key is the rule's id."""
    content = rule.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def decode_rule(key: bytes | None, raw: bytes) -> Rule:
    """One record of the rules topic that is no tombstone. Raises `Invalid`, with the field.

    Says nothing about `when`: see streams.rules.check.
    """
    try:
        rule = Rule.model_validate(parse(raw))
    except ValidationError as error:
        raise invalid(error) from None
    if key is not None and key != rule.id.encode():
        raise Invalid("wrong_value", "$.id", "is another rule than the record's key")
    return rule
