"""What a rule says, in words that need no SQL. Pure."""

from datetime import UTC, datetime
from typing import Final

from schemas.rules import Rule
from streams.rules.fields import Field
from streams.rules.reading import read_rule
from streams.rules.tree import Aggregate, Call, Constant, Tree, text

_COMPARED: Final = {
    "=": "is", "!=": "is not", "<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least",
    "like": "is like", "ilike": "is like, in small or capital letters,", "contains": "contains",
    "startswith": "begins with", "endswith": "ends with", "match": "matches", "has": "has",
}  # fmt: skip
_NOT: Final = {
    "=": "is not", "in": "is none of", "isnull": "is known", "has": "does not have", "contains": "does not contain",
    "startswith": "does not begin with", "endswith": "does not end with", "like": "is not like",
    "match": "does not match",
}  # fmt: skip
_NAMES: Final = {
    "age_days": "the age in days", "k": "the number of slots", "available": "it can be bought",
    "in_catalog": "the catalogue knows it", "responded": "there was a response", "total_ms": "the time taken in ms",
    "n_served": "the number of served items", "served_by": "who answered", "model_rank": "its place by score",
}  # fmt: skip
_NEVER: Final = {
    "available": "it cannot be bought", "in_catalog": "the catalogue does not know it",
    "responded": "there was no response",
}  # fmt: skip
_GROUPS: Final = {
    "segments": "the user's",
    "experiments": "the arm of",
    "context": "the request's",
    "attributes": "its",
}
_AGGREGATES: Final = {
    "avg": "the mean of", "sum": "the sum of", "min": "the least of", "max": "the most of", "any": "of any item",
    "all": "of every item", "topshare": "the share of the commonest", "uniq": "how many different",
    "quantile": "a quantile of", "stddevpop": "the spread of", "stddevsamp": "the spread of",
}  # fmt: skip
_DOES: Final = {"exclude": "takes out", "boost": "boosts", "bury": "buries", "pin": "pins"}
_OF: Final = {
    "item": "an item is at fault that was served although",
    "slate": "a served list is at fault if",
    "trace": "a request is at fault if",
}


def does(rule: Rule) -> str:
    """In short: watches, takes out, boosts by 0.02, buries to a half, pins to place 3."""
    action = rule.action
    if action is None:
        return "watches"
    if action.position is not None:
        return f"pins to place {action.position}"
    if action.delta is not None:
        return f"{_DOES[action.type]} by {abs(action.delta):g}"
    return f"{_DOES[action.type]} by a factor of {action.factor:g}" if action.factor is not None else "takes out"


def sentences(rule: Rule) -> list[str]:
    """What it looks for, what it does or whom it tells, and when. Raises RulesInvalid for a `when` that is none."""
    said = words(read_rule(rule).tree)
    told = [f"{does(rule).capitalize()}: every candidate of which {said}."] if rule.action else []
    if rule.watches:
        told += [f"Watches: {_OF[rule.scope]} {said}.", _firing(rule)]
    if rule.action:
        told.append(f"Of rules that meet, the one with the highest priority has its way; this one has {rule.priority}.")
    since, until = rule.active.since_ms, rule.active.until_ms
    named = [f"from {moment(since)}"] if since is not None else []
    named += [f"until {moment(until)}"] if until is not None else []
    if named:
        told.append(f"Is in force {' '.join(named)}.")
    return told


def moment(epoch_ms: int) -> str:
    """2026-06-01 12:00 UTC"""
    return f"{datetime.fromtimestamp(epoch_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _firing(rule: Rule) -> str:
    fires = rule.fires
    enough = [] if fires.share is None else [f"{fires.share * 100:g} % of all requests"]
    if fires.count is not None or fires.share is None:
        enough.append(_count(fires.count or 1, "request"))
    least = f" and at least {fires.min_requests:,} were judged" if fires.min_requests > 1 else ""
    each = f", for each {' and '.join(fires.group_by)} by itself" if fires.group_by else ""
    whom = {"page": "calls somebody", "ticket": "opens a ticket", "info": "is noted"}[rule.severity]
    are = "is" if enough == ["1 request"] else "are"
    return f"It {whom} when {' and '.join(enough)} within {_span(fires.within)} {are} at fault{least}{each}."


def words(tree: Tree) -> str:
    """A condition. What has no words of its own is shown as it is written."""
    if isinstance(tree, Call) and tree.function in ("and", "or"):
        inner = (f"({words(each)})" if isinstance(each, Call) and each.function == "or" else words(each)
                 for each in tree.arguments)  # fmt: skip
        return f" {tree.function} ".join(inner)
    if isinstance(tree, Call) and tree.function == "not":
        return _not(tree.arguments[0])
    if isinstance(tree, Call):
        return _call(tree)
    if isinstance(tree, Aggregate):
        return _aggregate(tree)
    return _name(tree) if isinstance(tree, Field) else _value(tree)


def _call(tree: Call) -> str:
    given = tree.arguments
    if tree.function in _COMPARED and len(given) == 2:
        return f"{_operand(given[0])} {_COMPARED[tree.function]} {_operand(given[1])}"
    if tree.function == "in":
        return f"{_operand(given[0])} is one of {', '.join(map(_operand, given[1:]))}"
    if tree.function == "isnull":
        return f"{_operand(given[0])} is not known"
    if tree.function == "isnotnull":
        return f"{_operand(given[0])} is known"
    if tree.function in ("empty", "notempty"):
        return f"{_operand(given[0])} is {'not ' if tree.function == 'notempty' else ''}empty"
    if tree.function in ("number", "splitbychar"):
        return _operand(given[-1])
    return text(tree)


def _not(tree: Tree) -> str:
    if isinstance(tree, Field) and tree.name in _NEVER:
        return _NEVER[tree.name]
    if isinstance(tree, Call) and tree.function == "in":
        return f"{_operand(tree.arguments[0])} is none of {', '.join(map(_operand, tree.arguments[1:]))}"
    if isinstance(tree, Call) and tree.function == "isnull":
        return f"{_operand(tree.arguments[0])} is known"
    if isinstance(tree, Call) and tree.function in _NOT and len(tree.arguments) == 2:
        return f"{_operand(tree.arguments[0])} {_NOT[tree.function]} {_operand(tree.arguments[1])}"
    return f"it is not so that {words(tree)}"


def _aggregate(tree: Aggregate) -> str:
    where = f" of which {words(tree.condition)}" if tree.condition is not None else ""
    if tree.function == "count":
        known = f" with {_operand(tree.argument)}" if tree.argument is not None else ""
        return f"the number of items{known}{where}"
    return (
        f"{_AGGREGATES[tree.function]} {_operand(tree.argument) if tree.argument is not None else ''}{where}".rstrip()
    )


def _operand(tree: Tree) -> str:
    return f"({words(tree)})" if isinstance(tree, Call) and tree.function in ("and", "or", "not") else words(tree)


def _name(field: Field) -> str:
    if field.group in _GROUPS:
        return f"{_GROUPS[field.group]} {field.key}"
    if field.type == "boolean" and field.group:
        return f"{field.group} {field.key} failed"
    if field.group:
        return f"{field.name.rpartition('.')[2]} of {field.group} {field.key}"
    return _NAMES.get(field.name, f"the {field.name.replace('_', ' ')}")


def _value(constant: Constant) -> str:
    value = constant.value
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"“{value}”" if isinstance(value, str) else text(constant)


def _span(seconds: int) -> str:
    if seconds % 3_600 == 0:
        return _count(seconds // 3_600, "hour")
    return _count(seconds // 60, "minute") if seconds % 60 == 0 else _count(seconds, "second")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
