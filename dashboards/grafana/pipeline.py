"""Pipeline health: does rectrace itself run, keep up, write, seal and tell? What alerts about it link to."""

from typing import Final

from dashboards.grafana import measures, parts
from dashboards.grafana.measures import limit, lines
from dashboards.grafana.parts import PIPELINE, TIME, Field, Link
from dashboards.prometheus.thresholds import (
    ALERT_FAILURES,
    ALERTS_STALLED_S,
    ANSWERING,
    COMMIT_FAILURES,
    DEAD_LETTER_SHARE,
    DEAD_LETTERS_A_MINUTE,
    FRESHNESS_S,
    HELD,
    INSERT_FAILURES,
    LAG_RECORDS,
    LAG_S,
    NOTIFY_FAILURES,
    PAUSED,
    SEAL_STALLED_S,
    SEALING,
    WORKER_ANSWERS,
)

_WORKER: Final = "{{instance}}"
_PARTITION: Final = "{{topic}} {{partition}}"
_FRESH: Final = limit("RectracePartitionStale", FRESHNESS_S, f"{FRESHNESS_S} s")
_SEALED: Final = limit("RectraceSealStalled", SEAL_STALLED_S, f"{SEAL_STALLED_S} s")
_READING: Final = limit("RectraceLagGrows", LAG_S, f"{LAG_S} s, of more than {LAG_RECORDS:,} records, while lag grows")
_HELD: Final = limit("RectraceMemoryHigh", HELD, f"{HELD:.0%}")
_DEAD: Final = limit(
    "RectraceDeadLettersStop",
    DEAD_LETTER_SHARE,
    f"{DEAD_LETTER_SHARE:.0%}, where they are more than {DEAD_LETTERS_A_MINUTE:,} a minute",
)


def _here(column: str, **row: str) -> Field:
    """A column of the alerts that links to what it is about, here."""
    return Field("string", links=[Link(f"This {column}", PIPELINE, {column: column, **row}, source="prometheus")])


def dashboard() -> parts.Board:
    """It reads Prometheus alone, so that it has something to show while ClickHouse is away."""
    return parts.board(
        PIPELINE,
        "rectrace: Pipeline health",
        "Does rectrace itself run, keep up, write, seal and tell of alerts? From its workers' metrics, by Prometheus.",
        [
            measures.label("instance", "Worker", "As Prometheus scrapes it; without one all of them.", "instances"),
            measures.label("topic", "Topic", "That workers read; without one all of them.", "topics"),
            measures.label("partition", "Partition", "Of the topics chosen; without one all of them.", "partitions"),
            measures.label("state", "Held", "Open requests, or what is not yet written; without one both.", "states"),
            measures.label("target", "Alertmanager", "That workers tell; without one all of them.", "targets"),
        ],
        [
            measures.values(
                "Now",
                "Of all workers, whatever is chosen. No figure: Prometheus has none, or nothing is read.",
                {
                    "workers up": ("workers", Field("none", limit("RectraceDown", ANSWERING, f"{ANSWERING}"))),
                    "sealing": ("sealing", Field("none", limit("RectraceNobodySeals", SEALING, f"{SEALING}"))),
                    "newest sealed": ("sealed_ago", Field("s", _SEALED, decimals=0)),
                    "slowest partition": ("slowest", Field("s", _FRESH, decimals=0)),
                    "records to read": ("lag", Field("short")),
                    "time to read them": ("reading_left", Field("s", _READING, decimals=1)),
                    "memory taken": ("most_held", Field("percentunit", _HELD, decimals=0)),
                    "dead letters": ("most_dead", Field("percentunit", _DEAD, decimals=1)),
                },
            ),
            measures.rows(
                "Alerts about rectrace",
                "What is pending or fires now, pages first, as of Prometheus. RUNBOOK.md has what each means and what "
                "to look at first. Those about the recommender are on the Overview.",
                "alerts",
                {
                    "severity": ("severity", Field("string", width=90)),
                    "alert": ("alertname", Field("string", width=260)),
                    "status": ("alertstate", Field("string", width=90)),
                    "since": ("Value", TIME),
                    "instance": ("instance", _here("instance")),
                    "topic": ("topic", _here("topic")),
                    "partition": ("partition", _here("partition", topic="topic")),
                    "state": ("state", _here("state", instance="instance")),
                    "target": ("target", _here("target")),
                },
            ),
            "Reading",
            lines(
                "Scrapes answered",
                "Of each worker, in ten minutes.",
                {"answered": _WORKER},
                "percentunit",
                bound=limit("RectraceWorkerDown", WORKER_ANSWERS, f"{WORKER_ANSWERS:.0%}"),
                most=1,
            ),
            lines("Records read", "A second, by worker.", {"consumed": _WORKER}, "cps"),
            lines("Bytes read", "A second, by topic.", {"consumed_bytes": "{{topic}}"}, "Bps"),
            lines("Lag", "Records in the broker not read yet, by partition.", {"partition_lag": _PARTITION}, "short"),
            lines(
                "Time to read the lag",
                "Of all workers, at the speed of the last two minutes. No line: nothing is read.",
                {"reading_left": "all workers"},
                "s",
                bound=_READING,
            ),
            lines(
                "Ingest freshness",
                "By partition: now minus the time below which all of it has landed. The oldest holds up every window.",
                {"freshness": _PARTITION},
                "s",
                bound=_FRESH,
            ),
            lines(
                "Reading waits",
                "Share of ten minutes in which a worker waited with reading, because writing is slower.",
                {"paused": _WORKER},
                "percentunit",
                bound=limit("RectraceReadingPaused", PAUSED, f"{PAUSED:.0%}"),
                most=1,
            ),
            lines(
                "Partitions move",
                "Times that a worker lost partitions to another one, and that the offsets of a topic went back.",
                {"rebalances": f"revoked: {_WORKER}", "restarts": "made again: {{topic}}"},
                "short",
            ),
            lines(
                "Failed commits",
                "To Kafka, in ten minutes, by worker: each is repeated.",
                {"commit_failures": _WORKER},
                "short",
                bound=limit("RectraceCommitFailures", COMMIT_FAILURES, f"{COMMIT_FAILURES}"),
            ),
            "Joining, and what that takes",
            lines("Open requests", "That may still get events, by worker.", {"open": _WORKER}, "short"),
            lines(
                "Closed",
                "Parts of requests a second, by why they closed: all has come (complete), nothing more came after the "
                "response (settled), or at all (timeout), or memory was full (evicted).",
                {"closed": "{{reason}}"},
                "cps",
            ),
            lines(
                "Late, doubled, evicted",
                "A second: events of a request that had closed, exact copies of one that is open, and parts closed "
                "early for memory. The seal merges what was cut; counts stay right.",
                {"late": "late events", "duplicates": "copies", "evicted": "evicted parts"},
                "cps",
            ),
            lines(
                "Held",
                "Memory of events, as a share of that at which a worker closes requests early (open) or stops reading "
                "(unwritten).",
                {"held": f"{_WORKER} {{{{state}}}}"},
                "percentunit",
                bound=_HELD,
            ),
            lines(
                "Memory",
                "Of the process, and of events that it holds, by worker.",
                {"resident": f"process: {_WORKER}", "held_bytes": f"events: {_WORKER}"},
                "bytes",
            ),
            lines("Cores", "That each worker uses; it has one for reading.", {"cores": _WORKER}, "none"),
            "What cannot be taken",
            lines(
                "Dead letters by reason",
                "A minute. `rectrace dlq list` has them, with the field and the component.",
                {"dead_letters": "{{reason}}"},
                "cpm",
                width=6,
            ),
            lines(
                "Dead letters by worker",
                "A minute.",
                {"dead_by_worker": _WORKER},
                "cpm",
                bound=limit(
                    "RectraceDeadLettersStop",
                    DEAD_LETTERS_A_MINUTE,
                    f"{DEAD_LETTERS_A_MINUTE:,}, where they are more than {DEAD_LETTER_SHARE:.0%} of what is read",
                ),
                width=6,
            ),
            lines(
                "Share of dead letters",
                "Of what each worker reads; at twice what the alert allows it stops.",
                {"dead_share": _WORKER},
                "percentunit",
                bound=_DEAD,
                width=6,
            ),
            lines(
                "Findings",
                "What a close look at one in a thousand healthy events found, a second, by component and kind: unknown "
                "fields, lists of unequal lengths, wrong counts.",
                {"findings": "{{component}}: {{kind}}"},
                "cps",
                width=6,
            ),
            "Writing",
            lines(
                "Rows of a batch",
                "Of any kind: the median and the 95th percentile.",
                {"batch_rows_50": "p50", "batch_rows_95": "p95"},
                "short",
            ),
            lines(
                "Age of a batch",
                "From when its oldest row was ready until all of it was written: the median and the 95th percentile.",
                {"batch_age_50": "p50", "batch_age_95": "p95"},
                "s",
            ),
            lines(
                "Time of a write",
                "To ClickHouse, of those that succeed: the 95th percentile, by what is written.",
                {"insert_seconds": "{{what}}"},
                "s",
            ),
            lines(
                "Failed writes by worker",
                "To ClickHouse, in ten minutes: each is repeated.",
                {"insert_failures": _WORKER},
                "short",
                bound=limit("RectraceInsertFailures", INSERT_FAILURES, f"{INSERT_FAILURES}"),
                width=12,
            ),
            lines(
                "Failed writes by kind",
                "The same, by what is written: if it is one kind, look at that table.",
                {"insert_failures_of": "{{what}}"},
                "short",
                width=12,
            ),
            "Sealing",
            lines(
                "Newest sealed window",
                "How long ago it ended: 10 to 25 seconds, where all is well.",
                {"sealed_ago": "ended ago"},
                "s",
                bound=_SEALED,
            ),
            lines(
                "Windows",
                "Sealed a minute: six, where all is well. `incomplete` lack a partition, `failed` and `abandoned` are "
                "sealed anew.",
                {"seals": "{{outcome}}"},
                "cpm",
            ),
            lines(
                "Time of a seal",
                "Of one window: the median and the 95th percentile.",
                {"seal_seconds_50": "p50", "seal_seconds_95": "p95"},
                "s",
            ),
            lines(
                "Dirty windows",
                "Whose rows changed since they were sealed: they are sealed again, at growing intervals.",
                {"dirty": "windows"},
                "short",
            ),
            lines(
                "Orphans",
                "Requests of which no request event was ever seen: they are in no metric and no alert.",
                {"orphans": "requests"},
                "short",
            ),
            lines(
                "Rules",
                "In force: those that judge what is served, and those that cannot. The alert RectraceRulesFailing "
                "allows none of these.",
                {"rules": "judge", "rules_failed": "cannot"},
                "short",
            ),
            "Alerts about the recommender, and who hears of them",
            lines(
                "Alerts evaluated behind",
                "From the newest window for which alerts were evaluated to the newest one sealed.",
                {"sealed_behind": "behind the seal"},
                "s",
                bound=limit("RectraceAlertsStalled", ALERTS_STALLED_S, f"{ALERTS_STALLED_S} s"),
            ),
            lines(
                "Pending and firing",
                "Alerts about the recommender, by severity: the Overview has them.",
                {"recommender_alerts": "{{state}} {{severity}}"},
                "short",
            ),
            lines(
                "Windows evaluated for alerts",
                "A minute: judged, too late to page anybody, or without data.",
                {"evaluations": "{{verdict}}"},
                "cpm",
            ),
            lines(
                "Failed evaluations",
                "Of alerts about the recommender, in ten minutes: each is repeated.",
                {"evaluation_failures": "all workers"},
                "short",
                bound=limit("RectraceAlertsFailing", ALERT_FAILURES, f"{ALERT_FAILURES}"),
            ),
            lines(
                "Notifications",
                "Changes of which each Alertmanager was told, in five minutes.",
                {"notifications": "{{target}}"},
                "short",
            ),
            lines(
                "Failed notifications",
                "Times in five minutes that an Alertmanager did not answer: what it is to be told is kept.",
                {"notify_failures": "{{target}}"},
                "short",
                bound=limit("RectraceNotificationsFailing", NOTIFY_FAILURES, f"{NOTIFY_FAILURES}"),
            ),
        ],
        measures.reads(),
    )
