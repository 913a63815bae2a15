-- The forty segments with most requests. Of the share the lower end of its interval, as alerts judge it (Wilson): few
-- requests are never hot.
WITH
    (
        SELECT groupArray(segment)
        FROM
        (
            SELECT segment
            FROM segment_metrics
            WHERE $__timeFilter(window) AND segment != ''
                AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
                AND $__conditionalAll(substring(segment, 1, position(segment, '=') - 1) IN (${dimension:singlequote}), $dimension)
            GROUP BY segment
            ORDER BY sum(requests) DESC, segment
            LIMIT 40
        )
    ) AS frequent
SELECT time, segment, {low} / counts.3 AS share
FROM
(
    SELECT
        $__timeInterval(window) AS time, m.segment AS segment, map({measures})[${metric:singlequote}] AS counts,
        counts.1 AS bad, counts.2 AS total
    FROM segment_metrics AS m
    WHERE $__timeFilter(window) AND has(frequent, m.segment)
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    GROUP BY time, segment
)
WHERE total > 0
ORDER BY time, segment
