"""The rules of the sealing worker: compiled from what was published, and what fails told to people."""

import logging
from collections.abc import Mapping, Sequence

from clickhouse_connect.driver.client import Client

from rectrace import wiring
from rectrace.settings import Settings
from schemas.errors import Invalid
from schemas.rules import Rule, decode_rule
from sinks.clickhouse.judged import Judged
from sinks.clickhouse.rule_seal import RuleInForce, RuleSeal
from streams.metrics import Metrics
from streams.rules.judge import Judge

log = logging.getLogger(__name__)


def rule_seal(settings: Settings, client: Client, metrics: Metrics) -> RuleSeal:
    """What judges the runs of the sealing worker."""
    judged = Judged(client, settings.database, wiring.journey(settings))
    judging = Judging(metrics)
    return RuleSeal(client, settings.database, judged, judging.compile, judging.report)


class Judging:
    """Makes judges, and counts and names the rules that cannot judge: once, until others fail."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told: Mapping[str, str] = {}

    def compile(self, rules: Sequence[RuleInForce]) -> Judge:
        """A judge of these; those that cannot be read are left out, and the judge names them."""
        read: list[Rule] = []
        unreadable: dict[str, str] = {}
        for each in rules:
            try:
                rule = decode_rule(each.id.encode(), each.text.encode())
            except Invalid as error:  # published by a newer version
                unreadable[each.id] = f"{error.field}: {error.message}"
            else:
                read.append(rule.model_copy(update={"version": each.version}))
        judge = Judge(read)
        judge.failed |= unreadable
        self._metrics.rules.set(len(judge.rules))
        return judge

    def report(self, failed: Mapping[str, str]) -> None:
        """Say which rules fail, with why, when that changes."""
        self._metrics.rules_failed.set(len(failed))
        if failed != self._told:
            self._told = dict(failed)
            for name, why in failed.items():
                log.warning("rule %s does not judge: %s", name, why)
