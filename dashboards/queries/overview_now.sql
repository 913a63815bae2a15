-- The last five minutes of the time shown.
SELECT
    sum(requests) / nullIf(10 * uniqExact(window), 0) AS "requests",
    sum(m.empty) / nullIf(sum(responded), 0) AS "empty",
    sum(m.short) / nullIf(sum(responded), 0) AS "short",
    sum(m.fallback) / nullIf(sum(responded), 0) AS "fallback",
    1 - sum(responded) / nullIf(sum(m.requests), 0) AS "no response",
    sum(m.incomplete) / nullIf(sum(m.requests), 0) AS "incomplete",
    quantilesTDigestMerge(0.5, 0.95, 0.99)(latencies)[2] AS latency,
    if(isFinite(latency), latency, NULL) AS "p95"
FROM segment_metrics AS m
WHERE $__timeFilter(window) AND window >= $__toTime - INTERVAL 5 MINUTE
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
