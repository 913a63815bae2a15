-- Requests of each placement in each window.
SELECT
    toUnixTimestamp(window), placement,
    sum(requests), sum(responded), sum(empty), sum(short), sum(fallback), sum(incomplete)
FROM $database.segment_metrics
WHERE segment = '' AND window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
GROUP BY window, placement
