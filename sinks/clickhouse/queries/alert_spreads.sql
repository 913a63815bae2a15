-- Requests by what the scores of each scoring component say of them, window by window.
SELECT toUnixTimestamp(window), placement, component,
    sumIf(requests, spread != 'single') AS judged, sumIf(requests, spread = 'constant'), sumIf(requests, spread = 'none')
FROM $database.score_metrics
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
GROUP BY window, placement, component
HAVING judged > 0
ORDER BY window, placement, component
