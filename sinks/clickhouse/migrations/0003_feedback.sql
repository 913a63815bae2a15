-- Interactions, catalogue and dead letters: natural keys, so that landing twice changes nothing. Read with FINAL.
CREATE TABLE IF NOT EXISTS $database.interactions $on_cluster
(
    request_id String,
    item String,
    kind LowCardinality(String),
    ts DateTime64(3, 'UTC'),
    position Nullable(UInt32),
    value Nullable(Float64),
    record_at DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (request_id, item, kind, ts)
TTL toDateTime(ts) + INTERVAL 30 DAY;

CREATE TABLE IF NOT EXISTS $database.catalog $on_cluster
(
    item String,
    record_at DateTime64(3, 'UTC') COMMENT 'valid from; the state at a time is the highest at or before it',
    deleted Bool,
    title String,
    brand LowCardinality(String),
    category LowCardinality(String),
    price Nullable(Float64),
    available Nullable(Bool),
    created_at Nullable(DateTime64(3, 'UTC')),
    image_url String,
    attributes Map(LowCardinality(String), String)
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (item, record_at);

CREATE TABLE IF NOT EXISTS $database.dead_letters $on_cluster
(
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    record_at DateTime64(3, 'UTC'),
    reason LowCardinality(String),
    field String,
    message String,
    component LowCardinality(String),
    request_id String,
    key String COMMENT 'bytes',
    raw String COMMENT 'bytes, whole',
    landed_at DateTime('UTC') DEFAULT now()
)
ENGINE = ${replicated}ReplacingMergeTree
-- by landing, not by record time: that may be anything, and one long ago would be gone at once
PARTITION BY toDate(landed_at)
ORDER BY (topic, partition, offset, record_at)
TTL landed_at + INTERVAL 30 DAY;
