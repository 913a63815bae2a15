-- Arms that no request of the hour before had.
SELECT time, segment AS title, concat(segment, ' at ', placement, ' has its first requests') AS text, ['experiment'] AS tags
FROM
(
    SELECT placement, segment, min(window) AS time
    FROM segment_metrics
    WHERE window >= $__fromTime - INTERVAL 1 HOUR AND window <= $__toTime AND startsWith(segment, 'experiment.')
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    GROUP BY placement, segment
)
WHERE time >= $__fromTime AND time > (SELECT min(window) FROM visible WHERE window >= $__fromTime - INTERVAL 1 HOUR)
ORDER BY time
