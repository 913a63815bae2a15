-- expected: as many clicks as its positions get at its placement in all of the time shown.
SELECT time, placement, {value} AS value
FROM
(
    SELECT
        time, placement, impressions, clicks,
        impressions * sum(clicks) OVER at_position / sum(impressions) OVER at_position AS expected
    FROM
    (
        SELECT
            $__timeInterval(window) AS time, placement, slot.2 AS position,
            count() AS impressions, countIf(has(clicked, slot.1)) AS clicks
        FROM ({shown})
        ARRAY JOIN slots AS slot
        GROUP BY time, placement, position
    )
    WINDOW at_position AS (PARTITION BY placement, position)
)
GROUP BY time, placement
HAVING isFinite(value)
ORDER BY time, placement
