-- Per placement, and as many requests as in as long a time before.
SELECT
    placement,
    sumIf(m.requests, is_now) AS "requests",
    "requests" / nullIf(sumIf(m.requests, NOT is_now), 0) AS "of before",
    sumIf(m.empty, is_now) / nullIf(sumIf(responded, is_now), 0) AS "empty",
    sumIf(m.short, is_now) / nullIf(sumIf(responded, is_now), 0) AS "short",
    sumIf(m.fallback, is_now) / nullIf(sumIf(responded, is_now), 0) AS "fallback",
    1 - sumIf(responded, is_now) / nullIf("requests", 0) AS "no response",
    sumIf(m.failed, is_now) / nullIf("requests", 0) AS "stage failed",
    sumIf(m.incomplete, is_now) / nullIf("requests", 0) AS "incomplete",
    quantilesTDigestMergeIf(0.5, 0.95, 0.99)(latencies, is_now) AS latency,
    if(isFinite(latency[1]), latency[1], NULL) AS "p50",
    if(isFinite(latency[2]), latency[2], NULL) AS "p95",
    if(isFinite(latency[3]), latency[3], NULL) AS "p99"
FROM (SELECT *, window >= $__fromTime AS is_now FROM segment_metrics) AS m
WHERE window >= $__fromTime - ($__toTime - $__fromTime) AND window <= $__toTime
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
GROUP BY placement
ORDER BY "requests" DESC, placement
