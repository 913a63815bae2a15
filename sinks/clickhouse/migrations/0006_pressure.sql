-- What rules do to the lists that are served, by placement and by rule (METRICS, ordering and rule pressure).
-- Sums of shares are exact to nine digits, so that the same requests give the same bits in whatever order they are read.
CREATE TABLE IF NOT EXISTS $database.pressure_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    placement LowCardinality(String),
    requests UInt64,
    judged UInt64 COMMENT 'with a model''s order, served at least one slot, and not by a fallback',
    pressure_sum Float64 COMMENT 'of 1 - RBO, over judged',
    scored UInt64 COMMENT 'judged, of which the model''s order has a score to lose',
    regret_sum Float64 COMMENT 'of 1 - DCG(served) / DCG(model''s order), over scored',
    slots UInt64 COMMENT 'served, but by fallbacks',
    slots_by_rules UInt64 COMMENT 'of these pinned, boosted or injected by any rule',
    constrained UInt64 COMMENT 'requests of which it is known how many candidates hard rules left',
    over_constrained UInt64 COMMENT 'of these left with fewer than asked for',
    over_constrained_2k UInt64 COMMENT 'of these left with fewer than twice as many',
    adjusted UInt64 COMMENT 'requests that any rule matched',
    conflicted UInt64 COMMENT 'requests with conflicts',
    conflicts UInt64 COMMENT 'candidates that were both boosted and buried',
    matched Map(UInt32, UInt64) COMMENT 'requests by how many rules matched them'
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (placement, window, run, tail)
TTL window + INTERVAL 400 DAY;

-- Candidates by what the rule did to them: what changed nothing (delta 0) is in none of them.
CREATE TABLE IF NOT EXISTS $database.rule_pressure_runs $on_cluster
(
    window DateTime('UTC'),
    run UInt64,
    tail UInt64,
    rule LowCardinality(String),
    placement LowCardinality(String),
    requests UInt64 COMMENT 'that it matched',
    boosted UInt64,
    buried UInt64,
    pinned UInt64,
    injected UInt64,
    excluded UInt64,
    slots UInt64 COMMENT 'served slots that it pinned, boosted or injected',
    slots_boosted UInt64,
    slots_buried UInt64 COMMENT 'served although it buried them',
    slots_pinned UInt64,
    slots_injected UInt64,
    conflicts UInt64 COMMENT 'candidates that it boosted and another rule buried, or the other way round',
    lost UInt64 COMMENT 'conflicts in which it changed nothing',
    against Map(LowCardinality(String), UInt64) COMMENT 'conflicts by the rule that had its way instead'
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(window)
ORDER BY (rule, placement, window, run, tail)
TTL window + INTERVAL 400 DAY;

CREATE VIEW IF NOT EXISTS $database.pressure $on_cluster AS
SELECT pressure_runs.* EXCEPT (run, tail) FROM $database.pressure_runs
LEFT SEMI JOIN $database.visible USING (window, run, tail);

CREATE VIEW IF NOT EXISTS $database.rule_pressure $on_cluster AS
SELECT rule_pressure_runs.* EXCEPT (run, tail) FROM $database.rule_pressure_runs
LEFT SEMI JOIN $database.visible USING (window, run, tail);
