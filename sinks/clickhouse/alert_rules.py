"""What rules found, as their alerts are judged by it."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from schemas.alerts import RuleCounts, RuleExample, RuleHit
from schemas.errors import Invalid, Unavailable
from schemas.rules import Rule, decode_rule
from sinks.clickhouse.alert_counts import Ask
from sinks.clickhouse.rows import when

log = logging.getLogger(__name__)
SHOWN_S: Final = 120  # examples are of windows up to so long before, however long a rule looks back


class RuleCountReader:
    """Reads it through `ask`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def read(self, first: int, last: int) -> RuleCounts:
        """Of the windows from first to last, both inside, and of those before within the rules' own times."""
        period = {"first": when(first), "last": when(last)}
        rules = self.rules(first, last)
        if not rules:
            return RuleCounts({}, [], [])
        within: dict[str, int] = {}
        for rule in rules.values():
            within[rule.id] = max(within.get(rule.id, 0), rule.fires.within)
        spans = {"names": list(within), "seconds": list(within.values())}
        rows = self._ask("alert_rule_hits", **period, **spans, earliest=when(first - max(within.values())))
        hits = [RuleHit(*row) for row in rows]
        if not any(hit.hit for hit in hits):
            return RuleCounts(rules, hits, [])
        since = max(min(hit.window for hit in hits if hit.hit), first - SHOWN_S)
        return RuleCounts(rules, hits, self._examples(since, last))

    def _examples(self, first: int, last: int) -> list[RuleExample]:
        """Without them alerts are judged all the same."""
        try:
            rows = self._ask("alert_rule_examples", first=when(first), last=when(last))
        except Unavailable as error:
            log.warning("no examples for the alerts of rules: %s", error)
            return []
        return [_example(row) for row in rows]

    def rules(self, first: int, last: int) -> dict[str, Rule]:
        """What judged the windows from first to last, both inside; by version."""
        return dict(_readable(self._ask("alert_rules", first=when(first), last=when(last))))


def _readable(rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Rule]]:
    """By version; what a newer version of rectrace has published is left out: it has judged nothing here."""
    for version, text in rows:
        with suppress(Invalid):
            yield str(version), decode_rule(None, text.encode())


def _example(row: Sequence[Any]) -> RuleExample:
    window, rule, request_id, placement, served_by, segments, experiments = row
    group = {"placement": placement, "served_by": served_by}
    group |= {f"segments.{name}": value for name, value in segments.items()}
    group |= {f"experiments.{name}": value for name, value in experiments.items()}
    return RuleExample(int(window), rule, request_id, group)
