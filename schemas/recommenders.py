"""Recommenders that people can ask from the console: what a registry file says of them, and what they are asked and
answer.

A registry is a YAML file: a list of recommenders, or one a document. One is asked by POST with JSON,

    {"inputs": {"user": "u-1"}, "version": "2.0.0", "arms": {"ranker": "v2"}}

(`version` and `arms` only where they are asked for) and the header X-Request-Id, which its stage events carry as their
request id. It answers {"request_id": ..., "items": [{"item": ...}, ...]}, best first, and what else `Answer` has.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from schemas.rule_problems import Mark, Place, Problem
from schemas.yaml_reading import Path, YamlReading, dotted, told

REQUEST_ID: Final = "X-Request-Id"
MOST_RECOMMENDERS: Final = 500
MOST_ITEMS: Final = 1_000
MOST_TEXT: Final = 2_000  # characters of an input
RESERVED: Final = frozenset({"version", "right", "ask", "placement"})  # of the console's addresses
_PORTS: Final = {"http": 80, "https": 443}
_INTEGERS: Final = 2**53  # what JSON can say everywhere

Value = str | int | float | bool
Kind = Literal["text", "integer", "number", "boolean", "choice"]


class InputError(ValueError):
    """What was given for an input: which one, what it was and what is allowed."""


def http_address(url: str) -> str:
    """http(s)://HOST[:PORT][/PATH] and nothing else; raises ValueError. Secrets have no place in a file or a page."""
    if (parts := _parts(url)) is None:
        raise ValueError("must be http://HOST:PORT/PATH or https://..., without a user, ?, # and ..")
    return url if parts.path else f"{url}/"


def _parts(url: str) -> SplitResult | None:
    """None: not an address that may be asked."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:  # a port or a host that is none
        return None
    odd = {*url} & set("@?#\\%") or not url.isascii() or not url.isprintable() or " " in url
    return parts if good and not odd and not {".", ".."} & set(parts.path.split("/")) else None


def allowed(url: str, prefixes: Iterable[str]) -> bool:
    """Whether an address is at or below one of these: the same scheme, host and port, and the same first steps."""
    parts = _parts(url)
    return parts is not None and any(_below(parts, _parts(prefix)) for prefix in prefixes)


def _below(parts: SplitResult, prefix: SplitResult | None) -> bool:
    if prefix is None or _origin(parts) != _origin(prefix):
        return False
    return f"{parts.path}/".startswith(f"{prefix.path.rstrip('/')}/")


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Address = Annotated[str, AfterValidator(http_address)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Line = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=2_000)]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Many = Annotated[tuple[Label, ...], Field(min_length=1, max_length=100, strict=False)]


def _wrong(field: str, message: str) -> PydanticCustomError:
    """With the place within its model."""
    return PydanticCustomError("field", message, {"field": field})


class Input(_Part):
    """One thing to ask with."""

    name: Name
    type: Kind
    required: bool = False
    default: Value | None = None
    description: Text = ""
    choices: Many | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.name in RESERVED:
            raise _wrong("name", f"is a word of the console's own, as are {', '.join(sorted(RESERVED))}")
        if (self.type == "choice") != (self.choices is not None):
            raise _wrong("choices", "are for type choice, which must have some")
        for bound in ("minimum", "maximum"):
            if getattr(self, bound) is not None and self.type not in ("integer", "number"):
                raise _wrong(bound, "is for types integer and number")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise _wrong("maximum", f"must be at least minimum, which is {self.minimum:g}")
        if self.default is not None:
            try:
                self.check(self.default)
            except InputError as error:
                raise _wrong("default", str(error)) from None
        return self

    @property
    def wanted(self) -> str:
        """What is allowed, for people."""
        bounds = [f"at least {self.minimum:,g}"] if self.minimum is not None else []
        bounds += [f"at most {self.maximum:,g}"] if self.maximum is not None else []
        kinds = {"text": f"a text, at most {MOST_TEXT:,} characters", "integer": "a whole number", "number": "a number",
                 "boolean": "true or false", "choice": f"one of {', '.join(self.choices or ())}"}  # fmt: skip
        return ", ".join([kinds[self.type], *bounds])

    def read(self, text: str) -> Value:
        """A value as people write it. Raises InputError."""
        try:
            if self.type == "boolean":
                return self.check({"true": True, "false": False}[text])
            kind = {"integer": int, "number": float}.get(self.type, str)
            return self.check(kind(text))
        except (ValueError, KeyError):
            raise InputError(f"{self.name}={_short(text)} must be {self.wanted}") from None

    def check(self, value: object) -> Value:
        """The value, if it is one of this input. Raises InputError."""
        kinds: dict[Kind, tuple[type, ...]] = {"integer": (int,), "number": (int, float), "boolean": (bool,)}
        right = isinstance(value, kinds.get(self.type, (str,)))
        if not right or isinstance(value, bool) != (self.type == "boolean") or not self._within(value):
            raise InputError(f"{self.name}={_short(value)} must be {self.wanted}")
        return value  # type: ignore[return-value]

    def _within(self, value: object) -> bool:
        if isinstance(value, str):
            return len(value) <= MOST_TEXT and (self.choices is None or value in self.choices)
        low = -_INTEGERS if self.minimum is None else self.minimum
        high = _INTEGERS if self.maximum is None else self.maximum
        return isinstance(value, bool) or (isinstance(value, int | float) and low <= value <= high)


class Recommender(_Part):
    """One that can be asked. versions, arms: what may be asked for, beside what it would take itself."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,60}$")]
    name: Line
    description: Text = ""
    target: Line  # whom or what it recommends for: user, item, ...
    result: Line  # what it recommends: product, ...
    url: Address
    health: Address | None = None  # answers GET with 200 where all is well
    placement: Annotated[str, Field(max_length=200)] = ""
    versions: Many | None = None
    arms: Annotated[dict[Label, Many], Field(max_length=20)] = {}
    inputs: Annotated[tuple[Input, ...], Field(max_length=30, strict=False)] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [each.name for each in self.inputs]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise _wrong("inputs", f"has {name} twice")
        return self

    def values(self, given: Mapping[str, object]) -> dict[str, Value]:
        """The inputs that were given, as JSON has them, and the defaults of the others. Raises InputError."""
        known = {each.name: each for each in self.inputs}
        if unknown := sorted(set(given) - set(known)):
            raise InputError(f"{unknown[0]} is no input of {self.id}: it has {', '.join(known) or 'none'}")
        found: dict[str, Value] = {}
        for name, each in known.items():
            value = given.get(name, each.default)
            if value is not None:
                found[name] = each.check(value)
            elif each.required:
                raise InputError(f"{name} is required: {each.wanted}")
        return found


class Item(BaseModel):
    """One that was recommended. What else is said of it is not looked at."""

    model_config = ConfigDict(frozen=True, strict=True)

    item: Annotated[str, Field(min_length=1, max_length=512)]
    title: Text | None = None
    brand: Text | None = None
    category: Text | None = None
    price: Annotated[float, Field(allow_inf_nan=False)] | None = None
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Answer(BaseModel):
    """What a recommender answers: items in the order in which they are shown."""

    model_config = ConfigDict(frozen=True, strict=True)

    request_id: Annotated[str, Field(min_length=1, max_length=512)]
    items: Annotated[tuple[Item, ...], Field(max_length=MOST_ITEMS)]
    placement: Text = ""
    version: Text = ""
    arms: dict[Label, Text] = {}
    served_by: Text = ""  # `fallback`: not what it should be


class AnswerInvalid(ValueError):  # noqa: N818
    """An answer that is none: a line for each thing that is wrong, at most ten."""


def read_answer(body: bytes) -> Answer:
    """What was answered. Raises AnswerInvalid."""
    try:
        return Answer.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            said = str(details[0].get("ctx", {}).get("error", "")) or "cannot be read"
            raise AnswerInvalid(f"it is not JSON: {said}") from None
        lines = []
        for detail in details[:10]:
            path, message = told(detail, lambda _: ())
            lines.append(f"{dotted(path) or 'it'}: {message}")
        more = [f"and {len(details) - 10} more"] if len(details) > 10 else []
        raise AnswerInvalid("\n".join(lines + more)) from None


class RecommenderProblem(Problem):
    """One thing that is wrong with a registry."""

    what = "recommender"


class RegistryInvalid(ValueError):  # noqa: N818
    """A registry that cannot be used: a line for each thing that is wrong, with file, recommender and field."""


@dataclass(frozen=True)
class Registry:
    """Recommenders in the order of their file."""

    recommenders: tuple[Recommender, ...] = ()

    def get(self, name: str) -> Recommender | None:
        """By its id."""
        return next((each for each in self.recommenders if each.id == name), None)

    def at(self, placement: str) -> list[Recommender]:
        """Those of a placement."""
        return [each for each in self.recommenders if each.placement == placement]

    @property
    def placements(self) -> list[str]:
        """Of all of them, in order."""
        return list(dict.fromkeys(each.placement for each in self.recommenders if each.placement))


def load_registry(text: str, file: str) -> Registry:
    """The recommenders of a YAML text. Raises RegistryInvalid with everything that is wrong."""
    reading = _Reading(text.removeprefix("\ufeff"), file)
    found = [each for each in (reading.recommender(node) for node in reading.nodes()) if each is not None]
    if len(found) > MOST_RECOMMENDERS:
        reading.say("", "", f"has {len(found):,} recommenders: at most {MOST_RECOMMENDERS} are allowed", Mark(1, 1))
    if reading.problems:
        raise RegistryInvalid("\n".join(map(str, reading.problems)))
    return Registry(tuple(found))


class _Reading(YamlReading):
    """One file on its way to recommenders."""

    problem = RecommenderProblem

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text, file)
        self._lines: dict[str, int] = {}  # of the recommenders so far, by id

    def recommender(self, node: yaml.Node) -> Recommender | None:
        """The recommender of a node, or None and its problems."""
        before = len(self.problems)
        if (entry := self.entry(node, "a recommender: id, name, target, result, url")) is None:
            return None
        data, marks = entry
        name = data["id"] if isinstance(data.get("id"), str) else ""
        place = Place(self.file, marks)
        self.problems[before:] = [replace(each, rule=name) for each in self.problems[before:]]
        if name in self._lines:
            line = self._lines[name]
            self.say(name, "id", f"is the id of another recommender, in line {line}", place.mark(("id",)))
        self._lines.setdefault(name, place.mark(("id",)).line)
        if len(self.problems) > before:
            return None
        try:
            return Recommender.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path, message = told(detail, _fields)
                path = tuple(step for step in path if step not in _UNIONS)
                self.say(name, dotted(path), message, place.mark(path))
            return None


_UNIONS: Final = ("str", "int", "float", "bool")  # steps of pydantic's paths that are no fields


def _fields(path: Path) -> Sequence[str]:
    """The fields that there are where the last step of the path is none."""
    model: type[_Part] = Input if path[0] == "inputs" else Recommender
    return list(model.model_fields)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
