"""What a condition may name, with what it means, for people who write rules. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.pipeline import STAGES
from schemas.rules import Rule
from streams.rules import functions
from streams.rules.fields import ITEM, REQUEST, STAGE_FIELDS, Unknown, Where, resolve

Row = Mapping[str, Any]
MEANINGS: Final = {
    "request_id": "the request's id", "placement": "where the list is shown", "user_id": "the user",
    "k": "how many slots were asked for", "at": "when the request came", "responded": "whether there was a response",
    "served_by": "primary or fallback", "n_served": "how many items were served",
    "total_ms": "how long the request took, ms", "statuses": "what is wrong: empty, short, fallback ...",
    "missing": "components that were expected and sent nothing", "conflicts": "events that came twice and differ",
    "item": "the item's id", "position": "its place in the list, 1 is the first", "score": "the model's score",
    "model_rank": "its place by the model's score, 1 is the best", "sources": "who brought it",
    "in_catalog": "whether the catalogue has it", "title": "its title", "brand": "its brand",
    "category": "its category",
    "price": "its price", "available": "whether it can be bought", "created_at": "when it came into the catalogue",
    "age_days": "days since it came into the catalogue",
}  # fmt: skip
_GROUPS: Final = {
    "segments": "the user's or the request's {0}", "experiments": "the arm of experiment {0}",
    "context": "what the request says of {0}", "attributes": "the item's {0}, as the catalogue has it",
}  # fmt: skip
_OF_STAGES: Final = {
    "duration_ms": "how long {0} took, ms", "n_in": "how many candidates {0} got", "n_out": "how many {0} passed on",
    "failed": "whether {0} failed",
}  # fmt: skip
_FUNCTIONS: Final = {
    "count": "how many items: count(), count(brand)", "countIf": "how many items of which: countIf(price > 100)",
    "uniq": "how many different: uniq(brand) < 3", "topShare": "share of the commonest: topShare(brand) > 0.5",
    "avg": "mean, or share of items: avg(price), avg(available)", "any": "one item at least: any(price > 100)",
    "all": "every item: all(available)", "min": "least: min(price)", "max": "most: max(price)", "sum": "sum(price)",
    "number": "a text as a number: number(attributes.rating) < 4", "has": "a list has: has(sources, 'ann')",
    "splitByChar": "a text as a list: has(splitByChar(',', attributes.sold_in), segments.country)",
    "contains": "a text contains: contains(title, 'silk')", "startsWith": "startsWith(title, 'Linen')",
    "endsWith": "endsWith(title, 'Dress')", "lower": "in small letters: lower(brand) = 'acme'",
    "isNull": "is not known: isNull(price)", "isNotNull": "is known: isNotNull(price)", "hour": "hour(at) < 6, UTC",
    "month": "month(at) in (6, 7, 8)", "dayOfWeek": "Monday is 1: dayOfWeek(at) >= 6", "length": "length(title) < 3",
    "if": "if(condition, then, else)", "coalesce": "the first that is known: coalesce(price, 0)",
    "match": "a regular expression: match(title, '^A.*')", "median": "median(price)",
    "quantile": "quantile(0.9)(price)",
    "abs": "without its sign: abs(score)", "round": "round(price, 1)",
    "empty": "a list or text is empty: empty(missing)",
    "notEmpty": "notEmpty(missing)",
}  # fmt: skip
FEW: Final = 60  # entries that are shown at once


@dataclass(frozen=True)
class Entry:
    """One name. wheres: where it may stand; examples: values that it has."""

    name: str
    type: str
    meaning: str
    of: str = "request"
    insert: str = ""
    examples: Sequence[str] = field(default_factory=tuple)

    def example(self, value: str) -> str:
        """A condition with that value."""
        return f"{self.name} = '{value.translate(_QUOTES)}'"


_QUOTES: Final = str.maketrans({"\\": "\\\\", "'": "\\'"})


def where(rule: Rule | None) -> Where:
    """Where the fields of a rule stand; without one, where most do."""
    return "item" if rule is None else "candidate" if rule.action else rule.scope


def entries(found: Iterable[Row], placed: Where) -> list[Entry]:
    """All that can be named there, fields first. found: rows of the query rule_names."""
    known = {(str(row["kind"]), str(row["name"])): list(row["examples"]) for row in found}
    made = []
    for each in [*ITEM.values(), *REQUEST.values()]:
        examples = known.get((each.of, each.name), ())
        made.append(Entry(each.name, each.type, MEANINGS[each.name], each.of, each.name, sorted(examples)))
    for (group, name), examples in known.items():
        if group in _GROUPS:
            of = "item" if group == "attributes" else "request"
            path = f"{group}.{name}" if name.isidentifier() else f"{group}['{name.translate(_QUOTES)}']"
            made.append(Entry(path, "text", _GROUPS[group].format(name), of, path, sorted(examples)))
    for stage in STAGES[1:]:
        for name, kind in STAGE_FIELDS.items():
            path = f"stage.{stage}.{name}"
            made.append(Entry(path, kind, _OF_STAGES[name].format(stage), "request", path))
    return [each for each in made if _may_stand(each, placed)] + list(_functions(placed))


def _may_stand(entry: Entry, placed: Where) -> bool:
    group, dot, rest = entry.name.partition(".")
    group, bracket, _ = group.partition("[")
    path = (group, "name") if bracket else (group, *rest.split(".")) if dot else (entry.name,)
    try:
        resolve(path, placed, aggregated=placed == "slate")
    except Unknown:
        return False
    return True


def _functions(placed: Where) -> Iterable[Entry]:
    aggregates = {name.lower() for name in (*functions.AGGREGATES, *functions.ALIASES)}
    for name in functions.names():
        of_lists = name.lower().removesuffix("if") in aggregates and name != "if"
        if not of_lists or placed == "slate":
            kind = "over the served list" if of_lists else "function"
            yield Entry(name, kind, _FUNCTIONS.get(name, ""), insert=f"{name}()")


def matching(known: Iterable[Entry], text: str) -> list[Entry]:
    """Those of which the name, the meaning or a value holds every word, those whose name does first."""
    words = text.lower().split()
    hits = [each for each in known if all(word in _searched(each) for word in words)]
    return sorted(hits, key=lambda each: not all(word in each.name.lower() for word in words))


def _searched(entry: Entry) -> str:
    return " ".join((entry.name, entry.type, entry.meaning, *entry.examples)).lower()
