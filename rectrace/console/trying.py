"""What is asked on a page of the Playground, and its address. Pure.

`/playground/ID?user=u1&arm.ranker=v2&right=ID&right.arm.ranker=control&ask=1`: inputs by their names, the same for both
sides; `ask` is what makes the page ask, so that a form can be looked at before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rectrace.console import addresses
from rectrace.console.addresses import BadAddress
from rectrace.console.recommending import Question
from schemas.recommenders import Input, InputError, Recommender, Registry, Value
from schemas.rule_problems import nearest

RIGHT = "right"


@dataclass(frozen=True)
class Side:
    """One recommender and what is asked for of it; texts are empty where it may choose."""

    recommender: Recommender
    version: str = ""
    arms: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, recommender: Recommender, query: Mapping[str, str], above: str = "") -> "Side":
        """above: of the names in the address. Raises BadAddress."""
        version = query.get(f"{above}version", "")
        _among(f"{above}version", version, recommender.versions or ())
        arms = {}
        for name, known in recommender.arms.items():
            if arm := query.get(f"{above}arm.{name}", ""):
                _among(f"{above}arm.{name}", arm, known)
                arms[name] = arm
        return cls(recommender, version, arms)

    def query(self, above: str = "") -> dict[str, str]:
        """For the address."""
        return {f"{above}version": self.version, **{f"{above}arm.{name}": arm for name, arm in self.arms.items()}}

    @property
    def names(self) -> list[str]:
        """Of its parameters."""
        return ["version", *(f"arm.{name}" for name in self.recommender.arms)]

    @property
    def title(self) -> str:
        """For people."""
        told = [self.version, *(f"{name}={arm}" for name, arm in sorted(self.arms.items()))]
        return " · ".join(filter(None, [self.recommender.name, *told]))


@dataclass(frozen=True)
class Asked:
    """The whole state of the page of one recommender, or two."""

    sides: tuple[Side, ...]
    texts: Mapping[str, str]  # what was given for inputs, as it was written
    ask: bool

    @classmethod
    def of(cls, registry: Registry, recommender: Recommender, query: Mapping[str, str]) -> "Asked":
        """From the page's address. Raises BadAddress."""
        sides = [Side.of(recommender, query)]
        known = [*sides[0].names, RIGHT, "ask"]
        if right := query.get(RIGHT, ""):
            found = registry.get(right)
            if found is None:
                raise BadAddress(f"right={right!r} is none of {', '.join(each.id for each in registry.recommenders)}")
            sides.append(Side.of(found, query, f"{RIGHT}."))
            known += [f"{RIGHT}.{name}" for name in sides[1].names]
        inputs = inputs_of([side.recommender for side in sides])
        return cls(tuple(sides), _texts(query, inputs, known), query.get("ask") == "1")

    @property
    def inputs(self) -> list[Input]:
        """Of both."""
        return inputs_of([side.recommender for side in self.sides])

    def questions(self) -> list[Question]:
        """One a side. Raises InputError."""
        return [
            Question(side.recommender, values(side.recommender, self.texts), side.version, side.arms)
            for side in self.sides
        ]

    @property
    def address(self) -> str:
        """Of this very view."""
        left, *rest = self.sides
        query = dict(self.texts) | left.query()
        for right in rest:
            query |= {RIGHT: right.recommender.id, **right.query(f"{RIGHT}.")}
        return addresses.to("/playground", left.recommender.id, **query, ask="1" if self.ask else "")


@dataclass(frozen=True)
class AskedPlacement:
    """The whole state of the page of a placement."""

    placement: str
    recommenders: tuple[Recommender, ...]
    texts: Mapping[str, str]
    ask: bool

    @classmethod
    def of(cls, registry: Registry, query: Mapping[str, str]) -> "AskedPlacement":
        """From the page's address. Raises BadAddress."""
        placement = query.get("placement", "")
        found = registry.at(placement)
        if not found:
            known = ", ".join(registry.placements) or "none"
            raise BadAddress(f"placement={placement!r} has no recommenders; there are {known}")
        texts = _texts(query, inputs_of(found), ["placement", "ask"])
        return cls(placement, tuple(found), texts, query.get("ask") == "1")

    @property
    def inputs(self) -> list[Input]:
        """Of all of them."""
        return inputs_of(self.recommenders)

    def questions(self) -> list[Question]:
        """One a recommender. Raises InputError."""
        return [Question(each, values(each, self.texts)) for each in self.recommenders]

    @property
    def address(self) -> str:
        """Of this very view."""
        return addresses.to("/playground", placement=self.placement, **self.texts, ask="1" if self.ask else "")


def inputs_of(recommenders: Sequence[Recommender]) -> list[Input]:
    """Each name once, as the first has it; required where any requires it."""
    found: dict[str, Input] = {}
    for each in (each for recommender in recommenders for each in recommender.inputs):
        before = found.setdefault(each.name, each)
        if each.required and not before.required:
            found[each.name] = before.model_copy(update={"required": True})
    return list(found.values())


def values(recommender: Recommender, texts: Mapping[str, str]) -> dict[str, Value]:
    """Of its inputs, from what was written. Raises InputError."""
    given = {each.name: each.read(texts[each.name]) for each in recommender.inputs if texts.get(each.name)}
    try:
        return recommender.values(given)
    except InputError as error:
        raise InputError(f"{recommender.name}: {error}") from None


def _texts(query: Mapping[str, str], inputs: Sequence[Input], known: Sequence[str]) -> dict[str, str]:
    names = [each.name for each in inputs]
    for name in query:
        if name not in names and name not in known:
            there = nearest(name, [*names, *known]) or f"; there are {', '.join([*names, *known])}"
            raise BadAddress(f"{name} is nothing that can be given here{there}")
    return {name: query[name].strip() for name in names if query.get(name, "").strip()}


def _among(name: str, given: str, known: Sequence[str]) -> None:
    if given and given not in known:
        raise BadAddress(f"{name}={given!r} is none of {', '.join(known) or 'those there are: it has none'}")
