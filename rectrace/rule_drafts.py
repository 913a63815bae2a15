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
_HEAD: Final = "owner: merchandising          # whom to ask\n"
_TELLS: Final = "severity: ticket              # page calls somebody, ticket opens one, info is noted\n"
_FIRES: Final = "fires: {share: 0.05, within: 5m, min_requests: 100}   # how many requests at fault are worth telling\n"
TEMPLATES: Final = {
    "Watch served items": f"id: {NAMELESS}\n{_HEAD}{_TELLS}scope: item\nwhen: brand = 'Name' and placement = 'home'   "
    f"# an item is at fault if this is true\nmessage: What is wrong, for whoever is told\n{_FIRES}",
    "Watch the served list": f"id: {NAMELESS}\n{_HEAD}{_TELLS}scope: slate\nwhen: count() >= 10 and uniq(brand) < 3   "
    f"# a list is at fault if this is true\nmessage: What is wrong, for whoever is told\n{_FIRES}",
    "Watch requests": f"id: {NAMELESS}\n{_HEAD}{_TELLS}scope: trace\nwhen: total_ms > 1000   "
    f"# a request is at fault if this is true\nmessage: What is wrong, for whoever is told\n{_FIRES}",
    "Take items out": f"id: {NAMELESS}\n{_HEAD}{_TELLS}scope: item\nwhen: brand = 'Name'   # which candidates\n"
    f"message: Why they are taken out\naction: exclude\npriority: 100\n{_FIRES}",
    "Bring items forward": f"id: {NAMELESS}\n{_HEAD}severity: info\nscope: item\nwhen: brand = 'Name'   "
    "# which candidates\nmessage: Why they come earlier\naction: {type: boost, delta: 0.02}   # added to the score\n"
    "priority: 0                   # of rules that meet, the highest has its way\n",
    "Push items back": f"id: {NAMELESS}\n{_HEAD}severity: info\nscope: item\nwhen: brand = 'Name'   "
    "# which candidates\nmessage: Why they come later\naction: {type: bury, delta: -0.02}   # added to the score\n"
    "priority: 0                   # of rules that meet, the highest has its way\n",
    "Pin an item to a place": f"id: {NAMELESS}\n{_HEAD}severity: info\nscope: item\n"
    "when: item = 'id' and placement = 'home'   # the first candidate of which this is true\n"
    "message: Why it is there\naction: {type: pin, position: 3}\npriority: 0\n",
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
