"""Rules to and from `rectrace.rules`: what publishing would change, and the records that do it."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from rectrace.producing import Outgoing
from schemas.errors import Invalid
from schemas.rule_log import BY, NOTE
from schemas.rules import Rule, content_hash, decode_rule, encode_rule

Row = Mapping[str, Any]
What = Literal["new", "changed", "same", "enabled", "not here"]


@dataclass(frozen=True)
class Difference:
    """One rule in files and as it is in force. lines: a unified diff of the two as YAML, empty where they are equal.

    enabled: it was disabled, and would judge again; not here: in force, and in none of the files.
    """

    id: str
    what: What
    lines: list[str]


def differences(rules: Sequence[Rule], published: Iterable[Row]) -> list[Difference]:
    """Of rules in files and rows of `Reader.rules`, by id."""
    known = {str(row["id"]): row for row in published}
    found = [_difference(rule, known.get(rule.id)) for rule in rules]
    here = {rule.id for rule in rules}
    rest = [row for name, row in known.items() if name not in here and not row["deleted"]]
    found += [Difference(str(row["id"]), "not here", _diff(str(row["id"]), text(row), "")) for row in rest]
    return sorted(found, key=lambda each: each.id)


def _difference(rule: Rule, row: Row | None) -> Difference:
    here = as_yaml(rule)
    if row is None or row["deleted"]:
        return Difference(rule.id, "new" if row is None else "enabled", _diff(rule.id, "", here))
    if row["version"] == content_hash(rule):
        return Difference(rule.id, "same", [])
    return Difference(rule.id, "changed", _diff(rule.id, text(row), here))


def text(row: Row) -> str:
    """The rule of a row of the rules table, as people write it; of a tombstone nothing."""
    if row["deleted"]:
        return ""
    try:
        return as_yaml(decode_rule(None, str(row["rule"]).encode()))
    except Invalid:  # published by a newer version
        return str(row["rule"])


def as_yaml(rule: Rule) -> str:
    """A rule as people write it, without what is so anyhow."""
    content = rule.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True, exclude={"version"})
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))


def changes(before: Row | None, after: Row) -> list[str]:
    """A unified diff of two rows of the history of one rule; before: None if after was the first."""
    return _diff("", text(before) if before else "", text(after), ("before", "after"))


def _diff(name: str, before: str, after: str, called: tuple[str, str] = ("in force", "here")) -> list[str]:
    old, new = (f"{name} ({each})" if name else each for each in called)
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm=""))


def publishing(topic: str, rules: Iterable[Rule], by: str, note: str) -> list[Outgoing]:
    """Records that put rules in force."""
    return [Outgoing(topic, rule.id.encode(), encode_rule(rule), _headers(by, note)) for rule in rules]


def disabling(topic: str, ids: Iterable[str], by: str, note: str) -> list[Outgoing]:
    """Records that take rules out of force."""
    return [Outgoing(topic, name.encode(), None, _headers(by, note)) for name in ids]


def _headers(by: str, note: str) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in ((BY, by), (NOTE, note)) if value]
