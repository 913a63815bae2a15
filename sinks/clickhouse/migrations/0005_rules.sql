-- The history of every rule: natural keys, so that landing twice changes nothing. Read with FINAL.
CREATE TABLE IF NOT EXISTS $database.rules $on_cluster
(
    id String,
    record_at DateTime64(3, 'UTC') COMMENT 'in force for windows that begin at or after it',
    deleted Bool COMMENT 'disabled',
    version LowCardinality(String) COMMENT 'content hash',
    owner LowCardinality(String),
    severity LowCardinality(String),
    scope LowCardinality(String),
    action LowCardinality(String) COMMENT 'empty: it only watches',
    rule String COMMENT 'JSON, as published',
    by String COMMENT 'who published or disabled it',
    note String COMMENT 'and why'
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (id, record_at);

CREATE TABLE IF NOT EXISTS $database.violations_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    rule LowCardinality(String),
    version LowCardinality(String),
    severity LowCardinality(String),
    request_id String,
    at DateTime64(3, 'UTC'),
    placement LowCardinality(String),
    user_id String,
    item String COMMENT 'empty unless the rule judges items',
    position UInt32 COMMENT '1-based; 0 unless the rule judges items',
    values Map(LowCardinality(String), String) COMMENT 'what the rule saw, as text'
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (rule, window, run, tail, request_id, position)
TTL window + INTERVAL 30 DAY;

CREATE TABLE IF NOT EXISTS $database.rule_hits_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    rule LowCardinality(String),
    version LowCardinality(String),
    severity LowCardinality(String),
    grouped Map(LowCardinality(String), String) COMMENT 'by the fields of fires.group_by',
    judged UInt64 COMMENT 'requests',
    hit UInt64 COMMENT 'requests at fault, of which violations has a bounded number'
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (rule, window, run, tail)
TTL window + INTERVAL 400 DAY;

CREATE VIEW IF NOT EXISTS $database.violations $on_cluster AS
SELECT violations_runs.* EXCEPT (run, tail) FROM $database.violations_runs
LEFT SEMI JOIN $database.visible USING (window, run, tail);

CREATE VIEW IF NOT EXISTS $database.rule_hits $on_cluster AS
SELECT rule_hits_runs.* EXCEPT (run, tail) FROM $database.rule_hits_runs
LEFT SEMI JOIN $database.visible USING (window, run, tail);
