"""Every Prometheus metric of the worker, in one list. Labels never hold a request id, an item or a user."""

from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ROWS: Final = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 50_000)


class Metrics:
    """The worker's own metrics. One per worker, on the registry that its port serves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        # What comes in
        self.consumed = Counter("rectrace_records_consumed", "Records read, of any kind.", ["topic"], registry=registry)
        self.consumed_bytes = Counter(
            "rectrace_record_bytes_consumed", "Bytes of the records' values.", ["topic"], registry=registry
        )
        self.tombstones = Counter(
            "rectrace_tombstones", "Records without a value on a stages topic: skipped.", ["topic"], registry=registry
        )
        self.gaps = Counter(
            "rectrace_offset_gaps",
            "Runs of a stages topic that began after the offset expected: transaction markers, or records deleted "
            "before they were read.",
            ["topic"],
            registry=registry,
        )
        self.untrusted_times = Counter(
            "rectrace_record_times_replaced",
            "Records whose producer-given time could not be believed: their arrival was taken instead.",
            ["topic"],
            registry=registry,
        )

        # The join
        self.open_requests = Gauge("rectrace_open_requests", "Requests that may still get events.", registry=registry)
        self.closed = Counter(
            "rectrace_parts_closed",
            "Parts of traces closed: complete, settled, timeout or evicted (memory or max_open).",
            ["reason"],
            registry=registry,
        )
        self.late = Counter(
            "rectrace_late_events", "Events of a request that had closed: they land as another part.", registry=registry
        )
        self.duplicates = Counter(
            "rectrace_duplicate_events", "Exact copies of an event of an open request: dropped.", registry=registry
        )
        self.held_bytes = Gauge(
            "rectrace_held_bytes",
            "Estimated memory of open requests and of what is closed and not yet written.",
            ["state"],
            registry=registry,
        )
        self.paused = Gauge(
            "rectrace_reading_paused", "1 while reading waits for the sink to catch up.", registry=registry
        )

        # What cannot be taken
        self.dead_letters = Counter(
            "rectrace_dead_letters", "Records that could not be taken.", ["topic", "reason"], registry=registry
        )
        self.audited = Counter("rectrace_events_audited", "Healthy events looked at closely.", registry=registry)
        self.audit_findings = Counter(
            "rectrace_audit_findings",
            "What a close look found in healthy events: unknown fields, unequal list lengths, wrong counts, ...",
            ["component", "kind", "field"],
            registry=registry,
        )

        # The flush
        self.batch_rows = Histogram(
            "rectrace_batch_rows", "Rows of a flush, of any kind.", buckets=ROWS, registry=registry
        )
        self.batch_age = Histogram(
            "rectrace_batch_age_seconds",
            "From the moment the oldest row of a flush was ready until all of it was written.",
            buckets=SECONDS,
            registry=registry,
        )
        self.insert_seconds = Histogram(
            "rectrace_insert_seconds", "Duration of successful writes.", ["what"], buckets=SECONDS, registry=registry
        )
        self.insert_failures = Counter(
            "rectrace_insert_failures",
            "Writes that failed because the server was away: each is repeated.",
            ["what"],
            registry=registry,
        )

        # Offsets
        self.committed_offset = Gauge(
            "rectrace_committed_offset", "Offset committed to the broker.", ["topic", "partition"], registry=registry
        )
        self.current_offset = Gauge(
            "rectrace_current_offset", "Next offset to read.", ["topic", "partition"], registry=registry
        )
        self.lag = Gauge(
            "rectrace_lag_records", "Records in the broker not read yet.", ["topic", "partition"], registry=registry
        )
        self.commit_failures = Counter(
            "rectrace_commit_failures", "Commits that failed or timed out: repeated.", registry=registry
        )
        self.freshness = Gauge(
            "rectrace_ingest_freshness_seconds",
            "Now minus the time below which everything of the partition has landed.",
            ["topic", "partition"],
            registry=registry,
        )
        self.rebalances = Counter("rectrace_rebalances", "Times partitions were revoked.", registry=registry)
        self.restarts = Counter(
            "rectrace_partition_restarts",
            "Times the offsets of a partition went back: its topic was lost or made again.",
            ["topic"],
            registry=registry,
        )

        # The seal: set only by the worker that seals
        self.sealing = Gauge("rectrace_sealing", "1 while this worker seals.", registry=registry)
        self.sealed_until = Gauge(
            "rectrace_sealed_until_seconds", "End of the newest window sealed, Unix time.", registry=registry
        )
        self.dirty_windows = Gauge(
            "rectrace_dirty_windows", "Windows whose rows changed since they were sealed.", registry=registry
        )
        self.orphans = Gauge("rectrace_orphans", "Requests of which no request event was ever seen.", registry=registry)
        self.seals = Counter("rectrace_seals", "Windows sealed.", ["outcome"], registry=registry)
        self.seal_seconds = Histogram(
            "rectrace_seal_seconds", "Duration of sealing one window.", buckets=SECONDS, registry=registry
        )

        # Rules: set only by the worker that seals
        self.rules = Gauge("rectrace_rules", "Rules in force that judge what is served.", registry=registry)
        self.rules_failed = Gauge("rectrace_rules_failed", "Rules in force that cannot judge.", registry=registry)

        # Alerts: set only by the worker that seals
        self.alerts = Gauge(
            "rectrace_alerts", "Alerts that are pending or firing.", ["state", "severity"], registry=registry
        )
        self.alert_evaluations = Counter(
            "rectrace_alert_evaluations", "Windows evaluated: judged, late or no_data.", ["verdict"], registry=registry
        )
        self.alert_failures = Counter(
            "rectrace_alert_evaluation_failures", "Evaluations that failed: each is repeated.", registry=registry
        )
        self.alerts_evaluated_until = Gauge(
            "rectrace_alerts_evaluated_until_seconds",
            "End of the newest window evaluated, Unix time.",
            registry=registry,
        )
        self.notifications = Counter(
            "rectrace_alert_notifications", "Changes told to an Alertmanager.", ["target"], registry=registry
        )
        self.notify_failures = Counter(
            "rectrace_alert_notify_failures",
            "Times an Alertmanager did not answer: what is to be told is kept.",
            ["target"],
            registry=registry,
        )

    def forget_partitions(self) -> None:
        """The partitions went to another worker: what was said of them is no longer this one's to say."""
        for gauge in (self.committed_offset, self.current_offset, self.lag, self.freshness):
            gauge.clear()


# What is watched of a worker's process, by prometheus_client's collector: without labels, and on Linux only.
PROCESS: Final = ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds")


@dataclass(frozen=True, slots=True)
class LiveMetric:
    """One of the live metrics of the traffic, which streams/live.py counts and exports."""

    name: str
    documentation: str
    labels: tuple[str, ...]


# Hints, for watching now: at a rebalance they may be off by about rate x grace. Sealed counts are the truth. A request
# counts once for segment="" (all) and once for each of its segments as name=value.
BY_SEGMENT: Final = ("placement", "segment")
LIVE_REQUESTS: Final = LiveMetric("rectrace_live_requests", "Requests closed that have a request event.", BY_SEGMENT)
LIVE_NO_RESPONSE: Final = LiveMetric("rectrace_live_no_response", "Requests closed without a response.", BY_SEGMENT)
LIVE_EMPTY: Final = LiveMetric("rectrace_live_empty", "Responses without an item.", BY_SEGMENT)
LIVE_SHORT: Final = LiveMetric(
    "rectrace_live_short", "Responses with fewer items than asked for (or none).", BY_SEGMENT
)
LIVE_FALLBACK: Final = LiveMetric("rectrace_live_fallback", "Responses served by fallback.", BY_SEGMENT)
LIVE_ERRORS: Final = LiveMetric("rectrace_live_errors", "Requests in which a stage said error or timeout.", BY_SEGMENT)
LIVE_LATENCY: Final = LiveMetric(
    "rectrace_live_latency_seconds",
    "The response's duration_ms where it gives one, else its time minus the request's.",
    BY_SEGMENT,
)
LIVE_STAGE_LATENCY: Final = LiveMetric(
    "rectrace_live_stage_latency_seconds", "duration_ms of each event.", ("placement", "stage", "component")
)
LIVE_STAGE_FAILED: Final = LiveMetric(
    "rectrace_live_stage_failed", "Events that said error or timeout.", ("placement", "stage", "component")
)
LIVE: Final = (
    LIVE_REQUESTS,
    LIVE_NO_RESPONSE,
    LIVE_EMPTY,
    LIVE_SHORT,
    LIVE_FALLBACK,
    LIVE_ERRORS,
    LIVE_LATENCY,
    LIVE_STAGE_LATENCY,
    LIVE_STAGE_FAILED,
)
