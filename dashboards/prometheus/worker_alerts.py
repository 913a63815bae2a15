"""Alerts about workers: that they run, read, write and commit."""

from typing import Final

from dashboards.prometheus.model import Alert
from dashboards.prometheus.names import (
    CLICKHOUSE_AWAY,
    COUNT,
    DEAD_LETTERS,
    DOWN,
    SHARE,
    SPAN,
    WORKER,
)
from dashboards.prometheus.recordings import OF_JOB
from dashboards.prometheus.thresholds import (
    ANSWERING,
    COMMIT_FAILURES,
    DEAD_LETTER_SHARE,
    DEAD_LETTERS_A_MINUTE,
    FRESHNESS_S,
    HELD,
    INSERT_FAILURES,
    LAG_RECORDS,
    LAG_S,
    PAUSED,
    WORKER_ANSWERS,
)
from streams.limit import DeadLetterPolicy

_LIMIT: Final = DeadLetterPolicy()
_PARTITION: Final = "partition {{ $labels.partition }} of {{ $labels.topic }}"
_CLICKHOUSE: Final = (
    "ClickHouse itself: does it answer, is a disk full, is a table read only or has it too many parts? The workers' "
    "logs quote what it says (`cannot write ...`)."
)

WORKERS: Final = (
    Alert(
        DOWN,
        "page",
        f"rectrace:workers_up:sum < {ANSWERING}",
        lasts="2m",
        summary=f"No worker of rectrace answers: {COUNT} of its scrapes came back.",
        meaning="No worker runs, or Prometheus does not reach any. Nothing lands and nothing is sealed; no alert about "
        "the recommender can come. Kafka keeps the events: what was not read is read when a worker is back.",
        look=(
            "Do worker processes run, and restart? The last lines of their log say why one ended. `stopped: ... of the "
            "last ... records are dead letters` is the producers' fault, not theirs.",
            "A worker serves metrics only once it has reached ClickHouse and found its tables: does ClickHouse answer, "
            "has `rectrace migrate` run?",
            "If they run: does Prometheus scrape them? Its job must be named rectrace, and RECTRACE_METRICS__HOST must "
            "not be 127.0.0.1 where Prometheus is elsewhere.",
        ),
        silence="Only while all workers are meant to be stopped.",
        causes=(DEAD_LETTERS, CLICKHOUSE_AWAY),
    ),
    Alert(
        "RectraceWorkerDown",
        "ticket",
        f"max by (instance) (avg_over_time(up{{{OF_JOB}}}[10m]) and up{{{OF_JOB}}}) < {WORKER_ANSWERS}",
        lasts="5m",
        by=("instance",),
        summary=f"Worker {WORKER} answered {SHARE} of its scrapes in ten minutes.",
        meaning="One worker is down, or starts again and again, while others run. Its partitions are with them, so "
        "that nothing is lost; there is less to spare.",
        look=(
            "The end of its log, or of the container before this one: a worker that stops says why.",
            "What its machine or its container's limits say: killed for memory? RECTRACE_JOIN__MEMORY bounds the "
            "events that it holds, and the process needs more than that.",
            "Whether the others keep up: lag and freshness on the dashboard.",
        ),
        silence="While the machine is being replaced. One that is gone for good leaves Prometheus's targets.",
        causes=(DOWN, DEAD_LETTERS, CLICKHOUSE_AWAY),
    ),
    Alert(
        "RectraceLagGrows",
        "ticket",
        "rectrace:lag_records:sum > rectrace:lag_records:sum offset 10m\n"
        f"and min_over_time(rectrace:lag_records:sum[10m]) > {LAG_RECORDS}\n"
        f"and rectrace:lag_records:sum / sum(rectrace:records_consumed:rate2m) > {LAG_S}",
        lasts="10m",
        summary=f"{COUNT} records wait to be read, more than ten minutes ago.",
        meaning="More comes than the workers read. IngestLag pages once what is known is a minute old.",
        look=(
            "Is `rectrace_reading_paused` 1? Then writing is what is slow: look at ClickHouse.",
            "Are the workers' cores full? Start more, up to the number of partitions.",
            "Does traffic grow, or does one partition take most of it? A key that many requests share does that.",
        ),
        silence="While a backlog is read that everybody knows of.",
        causes=(DOWN, CLICKHOUSE_AWAY, DEAD_LETTERS),
    ),
    Alert(
        "RectracePartitionStale",
        "ticket",
        f"rectrace:ingest_freshness_seconds:max > {FRESHNESS_S}",
        lasts="5m",
        by=("topic", "partition"),
        summary=f"What has landed of {_PARTITION} is {SPAN} old.",
        meaning="One partition holds up the seal of every window. After RECTRACE_SEAL__PATIENCE (300 s) windows are "
        "sealed without it: then their counts lack its requests, and alerts are not judged.",
        look=(
            "Its lag: if it grows, the worker that owns it does not keep up; if it does not, the broker does not "
            "answer.",
            "The worker that owns it: `rectrace_reading_paused`, `rectrace_insert_failures_total`, `/ready`.",
            "Kafka: does the partition have a leader, do fetches fail?",
        ),
        silence="While a backlog is read that everybody knows of.",
        causes=(DOWN, CLICKHOUSE_AWAY, DEAD_LETTERS),
    ),
    Alert(
        DEAD_LETTERS,
        "page",
        f"rectrace:dead_letters:rate2m / rectrace:records_consumed:rate2m > {DEAD_LETTER_SHARE}\n"
        f"and rectrace:dead_letters:rate2m * 60 > {DEAD_LETTERS_A_MINUTE}",
        lasts="1m",
        lingers="10m",
        by=("instance",),
        summary=f"{SHARE} of what worker {WORKER} reads are dead letters; it stops at {_LIMIT.max_share:.0%} and "
        f"{_LIMIT.max_count:,} in {_LIMIT.window_ms // 1000} s.",
        meaning="Much of what producers send breaks the contract. Beyond the limit a worker stops, so that a bad "
        "rollout does not become a day of dead letters; the next worker that reads the same stops, too. What was not "
        "written is read again once producers are mended.",
        look=(
            "`rectrace dlq list --since 10m` names the reason, the field and the component.",
            "What was rolled out at the component, or at whoever writes to the topic, just before? Take it back.",
            "If they are to be let through: RECTRACE_DEAD_LETTERS__MAX_SHARE and __MAX_COUNT, and restart the workers; "
            "`rectrace dlq replay` sends them again afterwards.",
        ),
        silence="While a producer that is known to be broken is being taken back.",
    ),
    Alert(
        CLICKHOUSE_AWAY,
        "page",
        # Where it hangs, each failure takes as long as a time-out: fewer than two a minute.
        f"sum(increase(rectrace_insert_failures_total{{{OF_JOB}}}[5m])) > 0\n"
        f"unless sum(increase(rectrace_insert_seconds_count{{{OF_JOB}}}[2m])) > 0\n"
        f"and sum(increase(rectrace_alert_evaluation_failures_total{{{OF_JOB}}}[5m])) > 0",
        lasts="2m",
        lingers="5m",
        summary=f"{COUNT} writes to ClickHouse failed in five minutes, none succeeds, and alerts are not evaluated.",
        meaning="ClickHouse takes nothing from any worker. Workers keep what they have read up to their bound of "
        "memory, then reading waits; nothing is lost. No alert about the recommender can come. (Where alerts are "
        "evaluated all the same, IngestLag pages instead.)",
        look=(
            _CLICKHOUSE,
            "Has its address, user or password changed? RECTRACE_CLICKHOUSE is read when a worker starts.",
            "The network between: do all workers fail?",
        ),
        silence="While ClickHouse is being upgraded.",
    ),
    Alert(
        "RectraceInsertFailures",
        "ticket",
        f"sum by (instance) (increase(rectrace_insert_failures_total{{{OF_JOB}}}[10m])) > {INSERT_FAILURES}",
        lasts="10m",
        by=("instance",),
        summary=f"{COUNT} writes of worker {WORKER} failed in ten minutes, and were repeated.",
        meaning="Writes fail because ClickHouse does not answer, or not in time. Each is repeated until it succeeds; "
        "until then what was read waits.",
        look=(
            _CLICKHOUSE,
            "`rectrace_insert_failures_total` by `what`: if it is one kind of write, look at that table.",
            "Whether other workers have it: if not, it is the network of this one.",
        ),
        silence="While ClickHouse is being upgraded.",
        causes=(CLICKHOUSE_AWAY,),
    ),
    Alert(
        "RectraceCommitFailures",
        "ticket",
        f"sum by (instance) (increase(rectrace_commit_failures_total{{{OF_JOB}}}[10m])) > {COMMIT_FAILURES}",
        lasts="10m",
        by=("instance",),
        summary=f"{COUNT} commits of worker {WORKER} to Kafka failed in ten minutes.",
        meaning="What was read is written, but Kafka does not note how far. Nothing is lost or counted twice; whoever "
        "takes over the partitions reads all since the last commit again.",
        look=(
            "Do brokers answer, and is the group's coordinator among them? The worker's log has `committing offsets "
            "took more than ...`.",
            "Does the group rebalance over and over (`rectrace_rebalances_total`)?",
            "The topic `__consumer_offsets`: has it enough replicas in sync?",
        ),
        silence="While brokers are restarted one after the other.",
    ),
    Alert(
        "RectraceMemoryHigh",
        "ticket",
        f"rectrace:held_bytes:ratio > {HELD}",
        lasts="5m",
        by=("instance", "state"),
        summary=f"{SHARE} of the memory for {{{{ $labels.state }}}} events of worker {WORKER} is taken.",
        meaning="At the bound, `open` requests are closed early (they land in parts, which the seal merges), and with "
        "too much `unwritten` reading waits.",
        look=(
            "`unwritten`: writing is slow. How long do inserts take (`rectrace_insert_seconds`), does ClickHouse "
            "merge?",
            "`open`: do requests end? Without a response and what it `expects`, each is held for RECTRACE_JOIN__GRACE. "
            "`rectrace_parts_closed_total` by `reason`.",
            "Have events grown, or traffic? RECTRACE_JOIN__MEMORY raises the bound, more workers share it.",
        ),
        silence="While a backlog is read that everybody knows of.",
        causes=(CLICKHOUSE_AWAY,),
    ),
    Alert(
        "RectraceReadingPaused",
        "ticket",
        f"max by (instance) (avg_over_time(rectrace_reading_paused{{{OF_JOB}}}[10m])) > {PAUSED}",
        lasts="5m",
        by=("instance",),
        summary=f"Worker {WORKER} has waited with reading for {SHARE} of ten minutes.",
        meaning="The worker reads faster than ClickHouse takes what it writes, and waits for it: lag grows.",
        look=(
            "How long inserts take (`rectrace_insert_seconds`), and whether they fail.",
            "ClickHouse: cores, disks, merges; `SELECT count() FROM system.merges`.",
            "How large batches are (`rectrace_batch_rows`): many small ones cost more than few large ones. "
            "RECTRACE_FLUSH__INTERVAL and __MAX_ROWS.",
        ),
        silence="While a backlog is read that everybody knows of.",
        causes=(CLICKHOUSE_AWAY,),
    ),
)  # fmt: skip
