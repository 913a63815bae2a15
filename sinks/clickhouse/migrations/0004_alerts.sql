-- What the alert engine knew after each window, one row: states and changes are there together, or not at all. Never
-- changed; of several rows of a window the first counts. No partitions, so that an insert is one part.
CREATE TABLE IF NOT EXISTS $database.alert_evaluations $on_cluster
(
    chain LowCardinality(String) COMMENT 'sealed: windows of traces; ingest: ten seconds of the clock',
    window DateTime('UTC'),
    run UInt64 COMMENT 'the run of the window that was judged; 0: none',
    verdict LowCardinality(String) COMMENT 'judged, late (pages nobody), no_data (changes nothing)',
    states Array(String) COMMENT 'every alert that is pending or firing after the window, as JSON',
    changes Array(Tuple(
        fingerprint String,
        status LowCardinality(String),
        told Bool,
        began DateTime('UTC'),
        ends_at DateTime('UTC'),
        json String
    )) COMMENT 'what began to fire, or ended',
    evaluated_at DateTime64(6, 'UTC') DEFAULT now64(6),
    tail UInt64 DEFAULT rand64()
)
ENGINE = ${replicated}MergeTree
ORDER BY (chain, window, evaluated_at, tail)
TTL window + INTERVAL 400 DAY;

-- Up to which window each Alertmanager has been told everything. Append-only; readers take the highest.
CREATE TABLE IF NOT EXISTS $database.alert_deliveries $on_cluster
(
    target LowCardinality(String),
    chain LowCardinality(String),
    delivered SimpleAggregateFunction(max, DateTime('UTC')),
    delivered_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3)
)
ENGINE = ${replicated}AggregatingMergeTree
ORDER BY (target, chain);

-- For people and dashboards: every change of every alert, also those that nobody was told of.
CREATE VIEW IF NOT EXISTS $database.alert_changes $on_cluster AS
SELECT
    chain,
    window,
    change.fingerprint AS fingerprint,
    JSONExtractString(change.json, 'state', 'alert') AS alert,
    JSONExtractString(change.json, 'state', 'severity') AS severity,
    JSONExtract(change.json, 'state', 'labels', 'Map(String, String)') AS labels,
    change.status AS status,
    change.told AS told,
    change.began AS began,
    change.ends_at AS ends_at,
    JSONExtractString(change.json, 'state', 'annotations', 'summary') AS summary,
    JSONExtract(change.json, 'state', 'examples', 'Array(String)') AS examples
FROM
(
    SELECT chain, window, arrayJoin(changes) AS change
    FROM
    (
        SELECT chain, window, changes
        FROM $database.alert_evaluations
        ORDER BY chain, window, evaluated_at, tail
        LIMIT 1 BY chain, window
    )
);
