-- What requests came to, by $by (segment, or placement of the totals), now and in the time to compare with.
SELECT
    $by AS element, window >= {since:DateTime('UTC')} AS is_now,
    sum(requests) AS requests, sum(responded) AS responded, sum(empty) AS empty, sum(short) AS short,
    sum(under_5) AS under_5, sum(under_10) AS under_10, sum(fallback) AS fallback, sum(failed) AS failed,
    sum(incomplete) AS incomplete, sum(slots) AS slots, sum(served) AS served,
    quantilesTDigestMerge($levels)(latencies) AS latency
FROM $database.segment_metrics
WHERE $both AND ({placement:String} = '' OR placement = {placement:String}) AND $only
GROUP BY element, is_now
ORDER BY element, is_now
