-- Requests a second, by the windows that have any, so that an interval that is not over is no drop.
SELECT
    time,
    sumIf(requests, NOT past) / nullIf(10 * uniqExactIf(window, NOT past), 0) AS "now",
    sumIf(requests, past) / nullIf(10 * uniqExactIf(window, past), 0) AS "a week before"
FROM
(
    SELECT $__timeInterval(window) AS time, window, false AS past, requests
    FROM segment_metrics
    WHERE $__timeFilter(window)
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
        AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
    UNION ALL
    SELECT $__timeInterval(window + INTERVAL 7 DAY) AS time, window, true AS past, requests
    FROM segment_metrics
    WHERE window >= $__fromTime - INTERVAL 7 DAY AND window <= $__toTime - INTERVAL 7 DAY
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
        AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
)
GROUP BY time
ORDER BY time
