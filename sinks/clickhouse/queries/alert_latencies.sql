-- The 95th percentile in ms, of all requests of a placement and of each component, over three windows each: what one
-- window alone says is too rough where traffic is thin. Digests merge; percentiles do not.
WITH [0, 10, 20] AS later
SELECT toUnixTimestamp(at) AS ends, placement, stage, component, quantilesTDigestMerge(0.5, 0.95, 0.99)(digest)[2] AS p95, sum(n)
FROM
(
    SELECT arrayJoin(arrayMap(s -> window + s, later)) AS at, placement, '' AS stage, '' AS component, latencies AS digest, responded AS n
    FROM $database.segment_metrics
    WHERE segment = '' AND window BETWEEN {first:DateTime('UTC')} - INTERVAL 20 SECOND AND {last:DateTime('UTC')}
    UNION ALL
    SELECT arrayJoin(arrayMap(s -> window + s, later)), placement, stage, component, durations, n
    FROM $database.stage_metrics
    WHERE window BETWEEN {first:DateTime('UTC')} - INTERVAL 20 SECOND AND {last:DateTime('UTC')}
)
WHERE at BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
GROUP BY ends, placement, stage, component
HAVING isFinite(p95)
