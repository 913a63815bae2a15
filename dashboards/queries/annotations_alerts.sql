-- Alerts that somebody was told of, from when they began until they ended. The table is in the order of its key, so that
-- only this time is read.
SELECT
    change.began AS time,
    if(
        countIf(change.status = 'resolved') = 0, $__toTime, maxIf(change.ends_at, change.status = 'resolved')
    ) AS timeEnd,
    any(JSONExtractString(change.json, 'state', 'alert')) AS title,
    argMax(JSONExtractString(change.json, 'state', 'annotations', 'summary'), window) AS text,
    ['alert', any(JSONExtractString(change.json, 'state', 'severity'))] AS tags
FROM
(
    SELECT window, arrayJoin(changes) AS change
    FROM
    (
        SELECT chain, window, changes
        FROM alert_evaluations
        WHERE chain IN ('sealed', 'ingest') AND window >= $__fromTime - INTERVAL 1 DAY AND window <= $__toTime
        ORDER BY chain, window, evaluated_at, tail
        LIMIT 1 BY chain, window
    )
)
WHERE change.told
GROUP BY change.fingerprint, time
HAVING timeEnd >= $__fromTime
ORDER BY time
