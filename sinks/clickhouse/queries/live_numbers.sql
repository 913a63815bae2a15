-- Requests of each placement and of all, in a period and in as long a time some while before it.
SELECT
    window >= {since:DateTime('UTC')} AS is_now,
    grouping(placement) AS is_all,
    placement::String AS place,
    sum(m.requests) AS requests,
    sum(responded) AS responses,
    sum(m.empty) AS empty_ones,
    sum(m.short) AS short_ones,
    sum(m.fallback) AS fallbacks,
    sum(m.failed) AS failures,
    quantilesTDigestMerge(0.5, 0.95, 0.99)(latencies)[2] AS latency,
    if(isFinite(latency), latency, NULL) AS p95
FROM $database.segment_metrics AS m
WHERE segment = '' AND
(
    (window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')})
    OR (window >= {earlier:DateTime('UTC')} AND window < {earlier_until:DateTime('UTC')})
)
GROUP BY GROUPING SETS ((is_now), (is_now, placement))
ORDER BY is_now, is_all, place
