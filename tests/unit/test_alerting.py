"""What tells of an alert."""

from rectrace.alerting import metric_of
from rectrace.changed_metrics import METRICS
from rectrace.rule_book import starter_pack


def test_what_tells_of_a_rule_is_about_what_it_reads() -> None:
    told = {rule.id: metric_of(rule) for rule in starter_pack().rules}
    assert {name: metric for name, metric in told.items() if metric != "short"} == {
        "no-response": "no_response",
        "fallback-share": "fallback",
        "missing-stage": "incomplete",
        "slow-total": "latency",
        "source-dead": "yield",
        "ranker-failed": "failed",
    }
    assert set(told.values()) <= set(METRICS)
