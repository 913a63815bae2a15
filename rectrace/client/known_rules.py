"""The rules that act, as the records of their topic say: the latest record of each that can be used."""

import logging

from rectrace.client.rules import RuleBook
from schemas.checks import record_key
from schemas.errors import Invalid
from schemas.rule_problems import RulesInvalid
from schemas.rules import Rule, content_hash, decode_rule
from streams.rules.reading import read_rule

log = logging.getLogger("rectrace.client")


class KnownRules:
    """Takes the records of the rules topic in order. Bad records are logged and change nothing."""

    def __init__(self) -> None:
        self.refused = 0  # records
        self._rules: dict[str, Rule] = {}
        self._changed = True

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """One record. value None: a tombstone, which takes the rule out of force."""
        try:
            name = record_key(key, "rule")
            rule = None if value is None else _acting(key, value)
        except (Invalid, RulesInvalid) as problem:
            self.refused += 1
            shown = (key or b"without a key").decode(errors="replace")
            log.warning("rule %s: %s; what was in force before stays", shown, problem)
            return
        if rule is not None:
            self._changed |= self._rules.get(name) != rule
            self._rules[name] = rule
        elif self._rules.pop(name, None):
            self._changed = True

    def book(self) -> RuleBook | None:
        """A book of the rules in force, compiled anew; None if it would be the same as at the last call."""
        if not self._changed:
            return None
        self._changed = False
        return RuleBook(self._rules.values())


def _acting(key: bytes | None, value: bytes) -> Rule | None:
    """The rule, if it acts. Raises Invalid, RulesInvalid."""
    rule = decode_rule(key, value)
    if rule.action is None:
        return None
    read_rule(rule)
    return rule.model_copy(update={"version": content_hash(rule)})
