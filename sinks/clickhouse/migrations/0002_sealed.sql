-- What people count: runs of sealed windows. One row in `sealed` makes a whole run visible; readers use the views.
CREATE TABLE IF NOT EXISTS $database.sealed $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    rows UInt64 COMMENT 'landing rows of the window plus stray parts naming it, as this run read them',
    requests UInt64,
    orphans UInt64 COMMENT 'requests of which no request event is known',
    incomplete Bool COMMENT 'a partition made no progress and was left out: no data for alerts',
    sealed_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ${replicated}MergeTree
PARTITION BY toYYYYMM(window)
ORDER BY (window, run, tail)
TTL window + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS $database.traces_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    request_id String,
    at DateTime64(3, 'UTC'),
    requested_at DateTime64(3, 'UTC'),
    user_id String,
    placement LowCardinality(String),
    k UInt32,
    segments Map(LowCardinality(String), String),
    experiments Map(LowCardinality(String), LowCardinality(String)),
    context String,
    expects Array(LowCardinality(String)),
    missing Array(LowCardinality(String)) COMMENT 'expected and not come; waived by a fallback response',
    responded Bool,
    served_by LowCardinality(String),
    n_served UInt32,
    served Array(String),
    total_ms Nullable(Float32) COMMENT 'the response event''s duration, else response minus request time',
    statuses Array(LowCardinality(String)) COMMENT
        'empty, short, fallback, error, timeout, no_response, incomplete, conflict, slow: any that apply',
    conflicts UInt32 COMMENT 'events of one identity with other bytes',
    kept LowCardinality(String) COMMENT 'why it outlives retention.all',
    weight Float32 COMMENT 'requests that a kept trace stands for once the others are gone',
    expire_at DateTime('UTC'),
    stages Array(Tuple(
        stage LowCardinality(String),
        component LowCardinality(String),
        attempt UInt8,
        seq Nullable(UInt32),
        record_at DateTime64(3, 'UTC'),
        hash UInt64,
        ts DateTime64(3, 'UTC'),
        version LowCardinality(String),
        duration_ms Nullable(Float32),
        status LowCardinality(String),
        error String,
        n_in Nullable(UInt32),
        n_out Nullable(UInt32),
        n_unique Nullable(UInt32),
        has_items Bool,
        items Array(String),
        scores Array(Nullable(Float32)),
        dropped Map(LowCardinality(String), Array(String)),
        dropped_counts Map(LowCardinality(String), UInt32),
        adjustments Array(Tuple(
            rule_id LowCardinality(String),
            item String,
            action LowCardinality(String),
            delta Nullable(Float32),
            position Nullable(UInt32)
        )),
        truncated Bool,
        served_by LowCardinality(String)
    )) COMMENT 'one an identity, in pipeline order',
    INDEX by_request request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (window, run, tail, request_id)
TTL expire_at;

CREATE TABLE IF NOT EXISTS $database.item_outcomes_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    item String,
    placement LowCardinality(String),
    segment LowCardinality(String) COMMENT 'empty: the total; else name=value of a configured segment, or name=other',
    fate LowCardinality(String),
    stage LowCardinality(String),
    component LowCardinality(String),
    reason LowCardinality(String),
    dropped_earlier Bool,
    sources Array(LowCardinality(String)) COMMENT 'the set of sources that brought it, sorted',
    n UInt64,
    position_sum UInt64,
    scored UInt64,
    score_sum Float64,
    score_min Nullable(Float32),
    score_max Nullable(Float32),
    rank_sum UInt64 COMMENT 'of the model rank, over scored',
    example String COMMENT 'the lowest of its request ids',
    span UInt32 COMMENT 'seconds from window on: 10, or 3600 once the hour is rolled up'
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (item, segment, window, run, tail)
TTL window + INTERVAL 30 DAY;

CREATE TABLE IF NOT EXISTS $database.stage_metrics_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    placement LowCardinality(String),
    stage LowCardinality(String),
    component LowCardinality(String),
    version LowCardinality(String),
    n UInt64 COMMENT 'events, attempts counted each',
    failed UInt64 COMMENT 'timeout or error',
    fallbacks UInt64,
    n_in UInt64,
    n_out UInt64,
    zero_out UInt64 COMMENT 'events that put out nothing',
    duration_sum Float64,
    durations AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float32)
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (placement, stage, component, window, run, tail)
TTL window + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS $database.segment_metrics_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    placement LowCardinality(String),
    segment LowCardinality(String) COMMENT 'empty: the total; name=value; experiment arms as experiment.name=value',
    requests UInt64,
    responded UInt64,
    empty UInt64,
    short UInt64 COMMENT 'fewer served than asked for, empty ones included',
    under_5 UInt64,
    under_10 UInt64,
    fallback UInt64,
    failed UInt64 COMMENT 'a stage said timeout or error',
    incomplete UInt64,
    conflicts UInt64,
    slots UInt64 COMMENT 'asked for',
    served UInt64,
    latencies AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float32)
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (placement, segment, window, run, tail)
TTL window + INTERVAL 400 DAY;

CREATE VIEW IF NOT EXISTS $database.visible $on_cluster AS
SELECT window, newest.1 AS run, newest.2 AS tail, newest.3 AS rows, newest.4 AS requests, newest.5 AS orphans,
    newest.6 AS incomplete, first_sealed_at, last_sealed_at
FROM
(
    SELECT window, max((run, tail, rows, requests, orphans, incomplete)) AS newest,
        min(sealed_at) AS first_sealed_at, max(sealed_at) AS last_sealed_at
    FROM $database.sealed
    GROUP BY window
);

-- A newest run without rows has none to show. Of `sealed` no more is read than has traces, which go sooner, whatever is
-- asked: a request is also looked for by its id alone.
CREATE VIEW IF NOT EXISTS $database.traces $on_cluster AS
SELECT * EXCEPT (run, tail) FROM $database.traces_runs
WHERE (window, run, tail) IN
(
    SELECT window, newest.1, newest.2
    FROM
    (
        SELECT window, max((run, tail)) AS newest
        FROM $database.sealed
        WHERE window >= (SELECT min(window) FROM $database.traces_runs)
        GROUP BY window
    )
);

-- Hours of item outcomes that are one run: of all windows in it whose run was older (runs are times, see rollup.py).
CREATE TABLE IF NOT EXISTS $database.rolled $on_cluster
(
    hour DateTime('UTC'),
    run UInt64,
    tail UInt64,
    rolled_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ${replicated}MergeTree
ORDER BY (hour, run, tail)
TTL hour + INTERVAL 400 DAY;

-- One look at `rolled` decides for window and hour alike, so no reader sees both or neither.
CREATE VIEW IF NOT EXISTS $database.item_outcomes $on_cluster AS
SELECT * EXCEPT (run, tail, span) FROM $database.item_outcomes_runs
WHERE (window, span, run, tail) IN
(
    SELECT DISTINCT
        if(hours.run > windows.run, hours.hour, windows.window),
        if(hours.run > windows.run, 3600, 10)::UInt32,
        if(hours.run > windows.run, hours.run, windows.run),
        if(hours.run > windows.run, hours.tail, windows.tail)
    FROM
    (
        SELECT window, newest.1 AS run, newest.2 AS tail
        FROM
        (
            SELECT window, max((run, tail)) AS newest
            FROM $database.sealed
            WHERE window > now('UTC') - INTERVAL 31 DAY -- as far as outcomes are kept
            GROUP BY window
        )
    ) AS windows
    LEFT JOIN
    (
        SELECT hour, newest.1 AS run, newest.2 AS tail
        FROM (SELECT hour, max((run, tail)) AS newest FROM $database.rolled GROUP BY hour)
    ) AS hours ON hours.hour = toStartOfHour(windows.window)
);

-- Kept as long as `sealed` itself, and asked for by window. A join and not IN, because what a query asks of `window` then
-- holds for `visible`, too: it is read for those windows only, and not for all of a year.
CREATE VIEW IF NOT EXISTS $database.stage_metrics $on_cluster AS
SELECT stage_metrics_runs.* EXCEPT (run, tail) FROM $database.stage_metrics_runs
LEFT SEMI JOIN $database.visible USING (window, run, tail);

CREATE VIEW IF NOT EXISTS $database.segment_metrics $on_cluster AS
SELECT segment_metrics_runs.* EXCEPT (run, tail) FROM $database.segment_metrics_runs
LEFT SEMI JOIN $database.visible USING (window, run, tail);
