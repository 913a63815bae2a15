-- The scores of each scoring component over a time. Requests with one score for all are told by another alert.
SELECT placement, component, toUnixTimestamp(min(window)), sumMap(map(version::String, requests)), sum(scored),
    sum(score_sum), sumMap(buckets)
FROM $database.score_metrics
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND spread IN ('varied', 'single')
GROUP BY placement, component
ORDER BY placement, component
