-- Every segment at every placement, all metrics side by side.
SELECT
    segment,
    placement,
    if("requests" < {least}, 'few requests', '') AS "sample",
    "requests",
    "of all",
    "stage failed",
    "no response",
    "fallback",
    "empty",
    "short",
    if(isFinite(p95), p95, NULL) AS "p95"
FROM
(
    SELECT
        m.segment AS segment,
        m.placement AS placement,
        sum(m.requests) AS "requests",
        sum(m.requests) / maxIf(sum(m.requests), segment = '') OVER (PARTITION BY placement) AS "of all",
        sum(m.failed) / sum(m.requests) AS "stage failed",
        sum(m.requests - m.responded) / sum(m.requests) AS "no response",
        sum(m.fallback) / nullIf(sum(m.responded), 0) AS "fallback",
        sum(m.empty) / nullIf(sum(m.responded), 0) AS "empty",
        sum(m.short) / nullIf(sum(m.responded), 0) AS "short",
        quantilesTDigestMerge(0.5, 0.95, 0.99)(latencies)[2] AS p95
    FROM segment_metrics AS m
    WHERE $__timeFilter(window)
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    GROUP BY segment, placement
)
WHERE segment != ''
    AND $__conditionalAll(substring(segment, 1, position(segment, '=') - 1) IN (${dimension:singlequote}), $dimension)
ORDER BY segment, "requests" DESC, placement
LIMIT 1000
