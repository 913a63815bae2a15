-- What the models gave, unsampled. A score is never NaN or infinite here: it breaks the contract, and `landing` refuses it.
CREATE TABLE IF NOT EXISTS $database.score_metrics_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    placement LowCardinality(String),
    component LowCardinality(String) COMMENT 'of scoring events; of its attempts in a request the last that has scores',
    version LowCardinality(String),
    spread LowCardinality(String) COMMENT
        'of the scores of each of these requests: varied, constant (two or more, all the same), single, none (all null)',
    requests UInt64,
    candidates UInt64 COMMENT 'of their lists of scores',
    scored UInt64 COMMENT 'without those that have null',
    distinct UInt64 COMMENT 'scores that differ within a request: 1 - distinct / scored is the share of ties',
    score_sum Float64,
    square_sum Float64,
    buckets Map(Int32, UInt64) COMMENT 'scores by schemas/distributions.py: logarithmic, 5 % wide; histograms add up'
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (placement, component, window, run, tail)
TTL window + INTERVAL 30 DAY;

-- Why candidates were dropped, as the events state it.
CREATE TABLE IF NOT EXISTS $database.drop_metrics_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    placement LowCardinality(String),
    stage LowCardinality(String),
    component LowCardinality(String),
    reason LowCardinality(String) COMMENT 'of a drop that a rule states without one: the rule',
    n UInt64 COMMENT 'candidates: dropped_counts win over the length of lists; attempts counted each',
    events UInt64 COMMENT 'that dropped any for this reason'
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (placement, stage, component, window, run, tail)
TTL window + INTERVAL 400 DAY;

CREATE VIEW IF NOT EXISTS $database.score_metrics $on_cluster AS
SELECT score_metrics_runs.* EXCEPT (run, tail) FROM $database.score_metrics_runs
LEFT SEMI JOIN $database.visible USING (window, run, tail);

CREATE VIEW IF NOT EXISTS $database.drop_metrics $on_cluster AS
SELECT drop_metrics_runs.* EXCEPT (run, tail) FROM $database.drop_metrics_runs
LEFT SEMI JOIN $database.visible USING (window, run, tail);
