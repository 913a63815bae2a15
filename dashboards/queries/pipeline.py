"""The PromQL of the dashboard of the pipeline's health: each query once. Grafana fills in the variables, `$...`.

What only the worker that seals sets is taken of that one: the others keep what they said when they sealed.
"""

from typing import Final

from dashboards.prometheus.model import SERVICE
from dashboards.prometheus.recordings import OF_JOB

_WORKER: Final = f'{OF_JOB},instance=~"$instance"'
_TOPIC: Final = f'{_WORKER},topic=~"$topic"'
_PARTITION: Final = f'{_TOPIC},partition=~"$partition"'
_SEALS: Final = f"on (instance) rectrace_sealing{{{OF_JOB}}} == 1"
# the labels by which alerts about rectrace differ, with those that every alert has
_ALERT: Final = "alertname, severity, instance, topic, partition, state, target"


def _rate(metric: str, by: str, of: str = _WORKER) -> str:
    return f"sum by ({by}) (rate({metric}{{{of}}}[$__rate_interval]))"


def _increase(metric: str, by: str, over: str, of: str = _WORKER) -> str:
    return f"sum by ({by}) (increase({metric}{{{of}}}[{over}]))"


def _quantile(q: float, metric: str, by: str = "", of: str = _WORKER) -> str:
    return f"histogram_quantile({q}, {_rate(f'{metric}_bucket', ', '.join(['le', *by.split()]), of)})"


def _of_sealing(metric: str, by: str = "") -> str:
    return f"max{f' by ({by})' if by else ''} (rectrace_{metric}{{{OF_JOB}}} and {_SEALS})"


EXPRESSIONS: Final = {
    # all workers together
    "workers": "rectrace:workers_up:sum",
    "sealing": "rectrace:sealing:sum",
    "sealed_ago": "time() - (rectrace:sealed_until_seconds:max > 0)",
    "slowest": "max(rectrace:ingest_freshness_seconds:max)",
    "lag": "rectrace:lag_records:sum",
    "reading_left": "rectrace:lag_records:sum / (sum(rectrace:records_consumed:rate2m) > 0)",
    "most_held": "max(rectrace:held_bytes:ratio)",
    "most_dead": "max(rectrace:dead_letters:rate2m / (rectrace:records_consumed:rate2m > 0))",
    # alerts about rectrace itself; an alert's other series is the time since which its condition holds
    "alerts": f'max by (alertstate, {_ALERT}) (ALERTS{{service="{SERVICE}"}} * on ({_ALERT}) group_left () '
    f'ALERTS_FOR_STATE{{service="{SERVICE}"}}) * 1000',
    # reading
    "answered": f"max by (instance) (avg_over_time(up{{{_WORKER}}}[10m]) and up{{{_WORKER}}})",
    "consumed": 'rectrace:records_consumed:rate2m{instance=~"$instance"}',
    "consumed_bytes": _rate("rectrace_record_bytes_consumed_total", "topic", _TOPIC),
    "partition_lag": f"max by (topic, partition) (rectrace_lag_records{{{_PARTITION}}})",
    "freshness": 'rectrace:ingest_freshness_seconds:max{topic=~"$topic",partition=~"$partition"}',
    "paused": f"max by (instance) (avg_over_time(rectrace_reading_paused{{{_WORKER}}}[10m]))",
    "rebalances": _increase("rectrace_rebalances_total", "instance", "$__rate_interval"),
    "restarts": _increase("rectrace_partition_restarts_total", "topic", "$__rate_interval", _TOPIC),
    # the join
    "open": f"max by (instance) (rectrace_open_requests{{{_WORKER}}})",
    "closed": _rate("rectrace_parts_closed_total", "reason"),
    "late": f"sum(rate(rectrace_late_events_total{{{_WORKER}}}[$__rate_interval]))",
    "duplicates": f"sum(rate(rectrace_duplicate_events_total{{{_WORKER}}}[$__rate_interval]))",
    "evicted": f'sum(rate(rectrace_parts_closed_total{{{_WORKER},reason="evicted"}}[$__rate_interval]))',
    "held": 'rectrace:held_bytes:ratio{instance=~"$instance",state=~"$state"}',
    # what cannot be taken
    "dead_letters": f"{_rate('rectrace_dead_letters_total', 'reason', _TOPIC)} * 60",
    "dead_by_worker": 'rectrace:dead_letters:rate2m{instance=~"$instance"} * 60',
    "dead_share": 'rectrace:dead_letters:rate2m{instance=~"$instance"}\n'
    '/ (rectrace:records_consumed:rate2m{instance=~"$instance"} > 0)',
    "findings": _rate("rectrace_audit_findings_total", "component, kind"),
    # writing
    "batch_rows_50": _quantile(0.5, "rectrace_batch_rows"),
    "batch_rows_95": _quantile(0.95, "rectrace_batch_rows"),
    "batch_age_50": _quantile(0.5, "rectrace_batch_age_seconds"),
    "batch_age_95": _quantile(0.95, "rectrace_batch_age_seconds"),
    "insert_seconds": _quantile(0.95, "rectrace_insert_seconds", "what"),
    "insert_failures": _increase("rectrace_insert_failures_total", "instance", "10m"),
    "insert_failures_of": _increase("rectrace_insert_failures_total", "what", "10m"),
    "commit_failures": _increase("rectrace_commit_failures_total", "instance", "10m"),
    # the seal
    "sealed_behind": "rectrace:sealed_until_seconds:max - (rectrace:alerts_evaluated_until_seconds:max > 0)",
    "seals": f"{_rate('rectrace_seals_total', 'outcome', OF_JOB)} * 60",
    "seal_seconds_50": _quantile(0.5, "rectrace_seal_seconds", of=OF_JOB),
    "seal_seconds_95": _quantile(0.95, "rectrace_seal_seconds", of=OF_JOB),
    "dirty": _of_sealing("dirty_windows"),
    "orphans": _of_sealing("orphans"),
    "rules": _of_sealing("rules"),
    "rules_failed": _of_sealing("rules_failed"),
    # alerts about the recommender, and who hears of them
    "recommender_alerts": _of_sealing("alerts", "state, severity"),
    "evaluations": f"{_rate('rectrace_alert_evaluations_total', 'verdict', OF_JOB)} * 60",
    "evaluation_failures": f"sum(increase(rectrace_alert_evaluation_failures_total{{{OF_JOB}}}[10m]))",
    "notifications": _increase("rectrace_alert_notifications_total", "target", "5m", f'{OF_JOB},target=~"$target"'),
    "notify_failures": _increase(
        "rectrace_alert_notify_failures_total", "target", "5m", f'{OF_JOB},target=~"$target"'
    ),
    # the processes
    "resident": f"max by (instance) (process_resident_memory_bytes{{{_WORKER}}})",
    "held_bytes": f"sum by (instance) (rectrace_held_bytes{{{_WORKER}}})",
    "cores": _rate("process_cpu_seconds_total", "instance"),
    # variables
    "instances": f"label_values(up{{{OF_JOB}}}, instance)",
    "topics": f"label_values(rectrace_lag_records{{{OF_JOB}}}, topic)",
    "partitions": f'label_values(rectrace_lag_records{{{OF_JOB},topic=~"$topic"}}, partition)',
    "states": f"label_values(rectrace_held_bytes{{{OF_JOB}}}, state)",
    "targets": f"label_values(rectrace_alert_notifications_total{{{OF_JOB}}}, target)",
    # annotations
    "annotation_alerts": f'ALERTS{{service="{SERVICE}",alertstate="firing"}}',
    "annotation_starts": f"process_start_time_seconds{{{OF_JOB}}} * 1000",
}  # fmt: skip
