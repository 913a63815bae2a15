"""The history of rules, as it is kept: a row a record of the rules topic."""

from collections.abc import Iterable
from typing import Final

from schemas.checks import record_key
from schemas.parts import RuleRow
from schemas.rules import content_hash, decode_rule

BY: Final = "rectrace-by"  # record headers: who published it, and why
NOTE: Final = "rectrace-note"


def rule_row(key: bytes | None, raw: bytes | None, record_at: int, headers: Iterable[tuple[str, bytes]]) -> RuleRow:
    """One record of the rules topic; raw None: a tombstone, which disables; record_at: epoch ms. Raises `Invalid`."""
    said = {name: value.decode(errors="replace") for name, value in headers if name in (BY, NOTE)}
    row = RuleRow(record_key(key, "rule"), record_at, by=said.get(BY, ""), note=said.get(NOTE, ""))
    if raw is None:
        row.deleted = True
        return row
    rule = decode_rule(key, raw)
    row.version, row.rule = content_hash(rule), raw.decode()
    row.owner, row.severity, row.scope = rule.owner, rule.severity, rule.scope
    row.action = "" if rule.action is None else rule.action.type
    return row
