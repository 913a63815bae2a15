-- How long after its end a window was sealed at first, in seconds: the longest of each interval.
SELECT $__timeInterval(window) AS time, max(seconds) AS "sealed after"
FROM
(
    SELECT window, greatest(dateDiff('second', window + 10, min(sealed_at)), 0) AS seconds
    FROM sealed
    WHERE $__timeFilter(window) AND NOT incomplete
    GROUP BY window
)
GROUP BY time
ORDER BY time
