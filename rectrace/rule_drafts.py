"""A rule while it is being written: what is wrong with its text, what it would say, where to begin. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rectrace.rule_book import Book
from rectrace.rule_words import sentences
from schemas.rule_problems import Problem
from schemas.rules import Rule
from streams.rules.examples import Outcome, outcomes

MOST: Final = 20_000  # characters of a text
BRACKETS: Final = 2_000  # of those that open; nested ones take the square of their number to read
NAMELESS: Final = "name-of-the-rule"  # what templates are called
RESERVED: Final = frozenset({NAMELESS, "new"})
_WATCHES: Final = """\
id: {id}
owner: merchandising
# page calls somebody, ticket opens one, info is noted
severity: ticket
scope: {scope}
# {what} is at fault if this is true
when: {when}
message: What is wrong, for whoever is told
# how many requests at fault are worth telling
fires: {{share: 0.05, within: 5m, min_requests: 100}}
"""
_ACTS: Final = """\
id: {id}
owner: merchandising
severity: info
scope: item
# the candidates of which this is true
when: {when}
message: {why}
action: {action}
# of rules that meet, the one with the highest has its way
priority: {priority}
"""


def _watches(scope: str, what: str, when: str) -> str:
    return _WATCHES.format(id=NAMELESS, scope=scope, what=what, when=when)


def _acts(when: str, why: str, action: str, priority: int = 0) -> str:
    return _ACTS.format(id=NAMELESS, when=when, why=why, action=action, priority=priority)


TEMPLATES: Final = {
    "Watch served items": _watches("item", "an item", "brand = 'Name' and placement = 'home'"),
    "Watch the served list": _watches("slate", "a list", "count() >= 10 and uniq(brand) < 3"),
    "Watch requests": _watches("trace", "a request", "total_ms > 1000"),
    "Take items out": _acts("brand = 'Name'", "Why they are taken out", "exclude", 100),
    "Bring items forward": _acts("brand = 'Name'", "Why they come earlier", "{type: boost, delta: 0.02}"),
    "Push items back": _acts("brand = 'Name'", "Why they come later", "{type: bury, delta: -0.02}"),
    "Pin an item to a place": _acts(
        "item = 'id' and placement = 'home'", "Why it is there", "{type: pin, position: 3}"
    ),
}


@dataclass(frozen=True)
class Checked:
    """rule: None if anything is wrong with it. examples: its own that are not judged as they say."""

    rule: Rule | None = None
    problems: Sequence[Problem] = ()
    sentences: Sequence[str] = ()
    examples: Sequence[Outcome] = field(default_factory=tuple)


def too_long(text: str) -> str:
    """What to say of a text that is, or nothing."""
    if len(text) > MOST:
        return f"The text has {len(text):,} characters; at most {MOST:,} are read."
    return f"More than {BRACKETS:,} brackets are not read." if sum(map(text.count, "([{")) > BRACKETS else ""


def check(text: str, editing: str = "") -> Checked:
    """What a text says. editing: the id of the rule that is changed; empty: a new one."""
    if said := too_long(text):
        return Checked(problems=[Problem("", "", said, line=1, column=1)])
    book = Book()
    book.add(text, "")
    problems = list(book.problems)
    if not problems:
        problems = [
            Problem(each.id, "", "one rule at a time", "", *_at(each)) for each in book.rules[1:]
        ] or _of_one(book.rules, editing)  # fmt: skip
    if problems:
        return Checked(problems=sorted(problems, key=lambda each: (each.line, each.column)))
    (rule,) = book.rules
    return Checked(rule, (), sentences(rule), [each for each in outcomes(rule) if not each.right])


def _of_one(rules: Sequence[Rule], editing: str) -> list[Problem]:
    if not rules:
        return [Problem("", "", "there is no rule in it: begin with one of the templates", line=1, column=1)]
    rule = rules[0]
    if editing and rule.id != editing:
        return [Problem(rule.id, "id", f"this page changes {editing}: another id makes another rule", "", *_at(rule))]
    if rule.id in RESERVED:
        return [Problem(rule.id, "id", "give it a name of its own, such as no-coats-in-june", "", *_at(rule))]
    return []


def _at(rule: Rule) -> tuple[int, int]:
    mark = rule.place.mark(("id",)) if rule.place else None
    return (mark.line, mark.column) if mark else (1, 1)
