"""Alerts about the worker that seals: that there is one, and that counts, alerts and rules go on."""

from typing import Final

from dashboards.prometheus.model import Alert
from dashboards.prometheus.names import (
    ALERTS_STALLED,
    CLICKHOUSE_AWAY,
    COUNT,
    DEAD_LETTERS,
    DOWN,
    NOBODY_SEALS,
    SPAN,
)
from dashboards.prometheus.recordings import OF_JOB
from dashboards.prometheus.thresholds import (
    ALERT_FAILURES,
    ALERTS_STALLED_S,
    NOTIFY_FAILURES,
    SEAL_STALLED_S,
    SEALING,
)
from streams.alerts.definitions import INGEST_LAG

SEALER: Final = (
    Alert(
        NOBODY_SEALS,
        "page",
        f"rectrace:workers_up:sum > 0 and rectrace:sealing:sum < {SEALING}",
        lasts="3m",
        summary=f"Workers that answer: {COUNT}. None of them seals.",
        meaning="The worker that owns partition 0 of a stages topic seals windows and evaluates alerts. Nobody owns "
        "it: events may land, but nothing is counted, and no alert about the recommender can come.",
        look=(
            "`curl http://WORKER:9464/ready` of each worker: `not in the consumer group yet` is a broker that does not "
            "answer, or a group that rebalances without end.",
            "The log of a worker says `assigned: ...`: is partition 0 of a stages topic among that of any?",
            "`kafka-consumer-groups.sh --describe --group rectrace`: is it another process, which is no worker, that "
            "owns the partition?",
        ),
        silence="Hardly ever: while it fires nobody is paged for the recommender.",
        causes=(DEAD_LETTERS, CLICKHOUSE_AWAY),
    ),
    Alert(
        "RectraceManySeal",
        "ticket",
        f"rectrace:sealing:sum > {SEALING}",
        lasts="10m",
        summary=f"{COUNT} workers seal at once.",
        meaning="More than one worker takes itself for the owner of partition 0, for longer than a rebalance takes. "
        "Results stay right (the newest run of a window counts), at twice the work.",
        look=(
            "Do all workers have the same RECTRACE_GROUP and the same topics? Two groups on one database both seal.",
            "`kafka-consumer-groups.sh --describe --group rectrace` names the one that the broker takes for the owner.",
            "The log of the other one: was it cut off from the broker? Restart it.",
        ),
        silence="While a second group reads into another database on purpose, give it a job of its own in Prometheus.",
    ),
    Alert(
        "RectraceSealStalled",
        "page",
        f"time() - (rectrace:sealed_until_seconds:max > 0) > {SEAL_STALLED_S}\n"
        "or rectrace:sealed_until_seconds:max == 0\n"
        f"  and sum(rate(rectrace_parts_closed_total{{{OF_JOB}}}[10m] offset 5m)) > 0",
        lasts="1m",
        summary=f"{{{{ if $value }}}}The newest sealed window ended {SPAN} ago{{{{ else }}}}Requests come, and no "
        "window has been sealed since the workers started{{ end }}.",
        meaning="A window is sealed 10 to 25 seconds after it ends; now none is. Counts, `rectrace item`, rules and "
        "alerts stand still; `rectrace why` goes on.",
        look=(
            "Do workers restart over and over (`changes(up[15m])`)? Then their logs say why.",
            "The log of the worker that seals: `cannot seal` names ClickHouse or the broker, `sealing failed` a bug.",
            "The freshness of each partition: a window waits for all of them, for RECTRACE_SEAL__PATIENCE (300 s). "
            "Is there a partition that nobody reads?",
        ),
        silence="Hardly ever: while it fires nobody is paged for the recommender.",
        causes=(DOWN, NOBODY_SEALS, CLICKHOUSE_AWAY, DEAD_LETTERS, INGEST_LAG.name),
    ),
    Alert(
        ALERTS_STALLED,
        "page",
        f"rectrace:sealed_until_seconds:max - (rectrace:alerts_evaluated_until_seconds:max > 0) > {ALERTS_STALLED_S}\n"
        "or rectrace:alerts_evaluated_until_seconds:max == 0 and rectrace:sealed_until_seconds:max > 0",
        lasts="2m",
        summary=f"{{{{ if $value }}}}Alerts are evaluated {SPAN} behind what is sealed{{{{ else }}}}Windows are "
        "sealed, and alerts have not been evaluated since the workers started{{ end }}.",
        meaning="Windows are sealed, but alerts about the recommender are not evaluated: nobody is paged for it.",
        look=(
            "The log of the worker that seals: `cannot evaluate alerts` names ClickHouse, `evaluating alerts failed` "
            "is a bug, and its lines say where.",
            "`rectrace_alert_evaluation_failures_total`: if it does not grow, an evaluation hangs. Queries that run "
            "for long in ClickHouse: `SELECT query, elapsed FROM system.processes`.",
            "Restart that worker: another one takes over, and goes on where this one stopped.",
        ),
        silence="Hardly ever: while it fires nobody is paged for the recommender.",
        causes=(CLICKHOUSE_AWAY,),
    ),
    Alert(
        "RectraceAlertsFailing",
        "ticket",
        f"sum(increase(rectrace_alert_evaluation_failures_total{{{OF_JOB}}}[10m])) > {ALERT_FAILURES}",
        lasts="10m",
        summary=f"{COUNT} evaluations of alerts failed in ten minutes, and were repeated.",
        meaning="Alerts about the recommender come late, but they come: what failed is repeated.",
        look=(
            "The log of the worker that seals: `cannot evaluate alerts` names ClickHouse, `evaluating alerts failed` "
            "is a bug, and its lines say where.",
            "How long ClickHouse takes: time-outs are failures, too.",
            "Whether it began with a new version, or a new file of thresholds.",
        ),
        silence="Until the next release, if it is a known bug and alerts are not behind.",
        causes=(ALERTS_STALLED, CLICKHOUSE_AWAY),
    ),
    Alert(
        "RectraceNotificationsFailing",
        "page",
        f"sum by (target) (increase(rectrace_alert_notify_failures_total{{{OF_JOB}}}[5m])) > {NOTIFY_FAILURES}",
        lasts="3m",
        by=("target",),
        summary=f"{COUNT} times in five minutes {{{{ $labels.target }}}} could not be told of alerts.",
        meaning="The Alertmanager that RECTRACE_ALERTS__ALERTMANAGER names does not take what the alert engine tells "
        "it. It is kept and told later; where several are named, the others are told all the same. If Prometheus tells "
        "this one too, this alert reaches nobody either: have Prometheus tell a second one.",
        look=(
            "Until it answers, `rectrace alerts list --firing` shows what fires.",
            "Does that Alertmanager run, and does the worker that seals reach it? Its log quotes the answer.",
            "Has its address or password changed? RECTRACE_ALERTS__ALERTMANAGER is read when a worker starts.",
        ),
        silence="While another Alertmanager is named beside it, and answers.",
    ),
    Alert(
        "RectraceRulesFailing",
        "ticket",
        f"max(rectrace_rules_failed{{{OF_JOB}}} and rectrace_sealing{{{OF_JOB}}} == 1) > 0",
        lasts="5m",
        summary=f"{COUNT} rules in force cannot judge what is served.",
        meaning="What such a rule forbids is not looked for. All other rules judge.",
        look=(
            "`rectrace rules list` names them, and why.",
            "`rectrace rules check FILE` of the owner's file: was it published by another version of rectrace?",
            "Correct and publish it again, or `rectrace rules disable` it.",
        ),
        silence="Until its owner is back, where the rule is not needed.",
    ),
)  # fmt: skip
