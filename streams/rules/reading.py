"""Rules with their conditions understood, and what is wrong with those that are not."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.rule_problems import Problem, RulesInvalid
from schemas.rules import Rule
from streams.rules.language import Mistake, read
from streams.rules.tree import Tree


@dataclass(frozen=True)
class Read:
    """A rule and what its `when` means."""

    rule: Rule
    tree: Tree


def read_rule(rule: Rule) -> Read:
    """Raises `RulesInvalid` with the place in `when`, or in the file that the rule came from."""
    try:
        return Read(rule, read(rule.when, "candidate" if rule.action else rule.scope))
    except Mistake as mistake:
        raise RulesInvalid([_problem(rule, mistake)]) from None


def check(rules: Iterable[Rule]) -> list[Problem]:
    """What is wrong with the conditions of these rules; empty if nothing is."""
    problems: list[Problem] = []
    for rule in rules:
        try:
            read_rule(rule)
        except RulesInvalid as invalid:
            problems += invalid.problems
    return problems


def _problem(rule: Rule, mistake: Mistake) -> Problem:
    if rule.place is not None:
        mark = rule.place.mark(("when",), mistake.offset)
        return Problem(rule.id, "when", mistake.message, rule.place.file, mark.line, mark.column)
    before = rule.when[: mistake.offset]
    column = mistake.offset - (before.rfind("\n") + 1) + 1
    return Problem(rule.id, "when", mistake.message, line=before.count("\n") + 1, column=column)
