"""What the console asks of rules: what is in force, how it came to be so, what it found and did."""

from datetime import timedelta
from typing import Final

from sinks.clickhouse.reader import Period, Reader, Row

BACK: Final = timedelta(days=7)  # how far back it is known when a rule last found something or fired
VERSIONS: Final = 200  # of one rule


def listed(reader: Reader, period: Period) -> list[Row]:
    """Every rule, disabled ones last, with what it found and did in the period. last_hit, last_fired: of the seven
    days before its end; None: not in these."""
    back = min(period.since, period.until - BACK)
    rows = reader.ask("rules_page", {**period.parameters, "back": back})
    return [row | {name: _known(row[name]) for name in ("last_hit", "last_fired")} for row in rows]


def history(reader: Reader, rule: str) -> list[Row]:
    """What was published of it, the newest first."""
    return reader.ask("rule_history", {"rule": rule, "limit": VERSIONS})


def hits(reader: Reader, rule: str, period: Period, step: int) -> list[Row]:
    """Requests judged and at fault, in steps of so many seconds."""
    return reader.ask("rule_hits_series", {**period.parameters, "rule": rule, "step": step})


def slots(reader: Reader, rule: str, period: Period, step: int) -> list[Row]:
    """Requests that it moved something in and served slots that it took, in steps of so many seconds."""
    return reader.ask("rule_slots_series", {**period.parameters, "rule": rule, "step": step})


def examples(reader: Reader, rule: str, period: Period, limit: int) -> list[Row]:
    """The newest requests at fault, each with (position, item, what the rule saw) of what was."""
    return reader.ask("rule_examples", {**period.parameters, "rule": rule, "limit": limit})


def moved(reader: Reader, rule: str, period: Period, limit: int) -> list[Row]:
    """The newest requests whose candidates it moved or took out."""
    return reader.ask("rule_moved", {**period.parameters, "rule": rule, "limit": limit})


def names(reader: Reader, period: Period) -> list[Row]:
    """What there is to name, with examples. kind: attributes, item, request, segments, experiments, context."""
    return reader.ask("rule_names", period.parameters)


def _known(at: object) -> object:
    """None for the time that ClickHouse has where there is none."""
    return at if getattr(at, "year", 1970) > 1970 else None
