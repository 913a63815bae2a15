-- What the workers write: one row a part of a request. Parts of a request merge by union of their stage events.
CREATE TABLE IF NOT EXISTS $database.landing $on_cluster
(
    window DateTime('UTC') COMMENT 'start of the 10 s window of its lowest request event, else of its first record',
    request_id String,
    has_request Bool,
    at DateTime64(3, 'UTC') COMMENT 'record time of that event',
    request_hash UInt64 COMMENT 'hash of that request event; all request columns come from it',
    requested_at DateTime64(3, 'UTC') COMMENT 'payload time of that request event, for people to read',
    user_id String,
    placement LowCardinality(String),
    k UInt32,
    segments Map(LowCardinality(String), String),
    experiments Map(LowCardinality(String), LowCardinality(String)),
    context String,
    expects Array(LowCardinality(String)),
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
    )),
    closed LowCardinality(String) COMMENT 'why the part closed: complete, settled, timeout, evicted',
    missing Array(LowCardinality(String)) COMMENT 'expected, not seen by this part',
    flagged Bool COMMENT 'a record time was replaced, or replayed: looked up over the whole horizon',
    spans Array(Tuple(topic LowCardinality(String), partition UInt32, first UInt64, last UInt64)),
    landed_at DateTime('UTC') DEFAULT now(),
    INDEX by_request request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    -- a number too large for Float32 would be stored as inf; refusing it sends the batch through the exact path
    CONSTRAINT scores_are_finite CHECK NOT arrayExists(s -> arrayExists(x -> NOT isFinite(ifNull(x, 0)), s), stages.scores)
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(landed_at)
ORDER BY (window, request_id)
TTL landed_at + INTERVAL 3 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = $fsync, fsync_part_directory = $fsync;

-- How far each topic-partition has landed. Append-only; readers take the highest.
CREATE TABLE IF NOT EXISTS $database.progress $on_cluster
(
    topic LowCardinality(String),
    partition UInt32,
    landed_until SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    claimed_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3)
)
ENGINE = ${replicated}AggregatingMergeTree
ORDER BY (topic, partition);

-- Parts that lie in another window than their request. parts: how many of them the lookup saw.
CREATE TABLE IF NOT EXISTS $database.strays $on_cluster
(
    request_id String,
    window DateTime('UTC') COMMENT 'where the part lies',
    home DateTime('UTC') COMMENT 'the window of its lowest request event',
    parts UInt32,
    found_at DateTime('UTC') DEFAULT now()
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(found_at)
ORDER BY (home, window, request_id)
TTL found_at + INTERVAL 3 DAY
SETTINGS ttl_only_drop_parts = 1;
