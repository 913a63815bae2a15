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
    found += [Difference(str(row["id"]), "not here", _diff(str(row["id"]), _yaml(row), "")) for row in rest]
    return sorted(found, key=lambda each: each.id)


def _difference(rule: Rule, row: Row | None) -> Difference:
    text = _text(rule)
    if row is None or row["deleted"]:
        return Difference(rule.id, "new" if row is None else "enabled", _diff(rule.id, "", text))
    if row["version"] == content_hash(rule):
        return Difference(rule.id, "same", [])
    return Difference(rule.id, "changed", _diff(rule.id, _yaml(row), text))


def _yaml(row: Row) -> str:
    try:
        return _text(decode_rule(None, str(row["rule"]).encode()))
    except Invalid:  # published by a newer version
        return str(row["rule"])


def _text(rule: Rule) -> str:
    content = rule.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True, exclude={"version"})
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))


def _diff(name: str, before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (in force)", f"{name} (here)", lineterm=""
    )
    return list(lines)


def publishing(topic: str, rules: Iterable[Rule], by: str, note: str) -> list[Outgoing]:
    """Records that put rules in force."""
    return [Outgoing(topic, rule.id.encode(), encode_rule(rule), _headers(by, note)) for rule in rules]


def disabling(topic: str, ids: Iterable[str], by: str, note: str) -> list[Outgoing]:
    """Records that take rules out of force."""
    return [Outgoing(topic, name.encode(), None, _headers(by, note)) for name in ids]


def _headers(by: str, note: str) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in ((BY, by), (NOTE, note)) if value]
