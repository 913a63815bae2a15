-- Digests merge; percentiles do not.
SELECT $__timeInterval(window) AS time, placement, quantilesTDigestMerge(0.5, 0.95, 0.99)(latencies)[2] AS p95
FROM segment_metrics
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
GROUP BY time, placement
HAVING isFinite(p95)
ORDER BY time, placement
