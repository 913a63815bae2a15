-- A segment of an arm is experiment.NAME=ARM.
SELECT
    substring(m.segment, 12, position(m.segment, '=') - 12) AS experiment,
    substring(m.segment, position(m.segment, '=') + 1) AS arm,
    if("requests" < {least}, 'few requests', '') AS "sample",
    sum(m.requests) AS "requests",
    sum(m.requests) / sum(sum(m.requests)) OVER (PARTITION BY experiment) AS "of all",
    sum(m.empty) / nullIf(sum(m.responded), 0) AS "empty",
    sum(m.short) / nullIf(sum(m.responded), 0) AS "short",
    sum(m.fallback) / nullIf(sum(m.responded), 0) AS "fallback",
    sum(m.requests - m.responded) / sum(m.requests) AS "no response",
    sum(m.failed) / sum(m.requests) AS "stage failed",
    sum(m.served) / nullIf(sum(m.responded), 0) AS "served",
    quantilesTDigestMerge(0.5, 0.95, 0.99)(latencies) AS latency,
    if(isFinite(latency[1]), latency[1], NULL) AS "p50",
    if(isFinite(latency[2]), latency[2], NULL) AS "p95",
    if(isFinite(latency[3]), latency[3], NULL) AS "p99",
    m.segment AS "segment",
    concat('experiment.', experiment) AS "dimension"
FROM segment_metrics AS m
WHERE $__timeFilter(window) AND startsWith(m.segment, 'experiment.')
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(substring(m.segment, 12, position(m.segment, '=') - 12) IN (${experiment:singlequote}), $experiment)
GROUP BY m.segment
ORDER BY experiment, arm
LIMIT 500
