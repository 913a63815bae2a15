-- Alerts that somebody was told of, where they began. No spans: Grafana shades them, and ten alerts of one fault hide the
-- lines. The table is in the order of its key, so that only this time is read.
SELECT
    change.began AS time,
    any(JSONExtractString(change.json, 'state', 'alert')) AS title,
    maxIf(change.ends_at, change.status = 'resolved') AS ended,
    concat(
        argMax(JSONExtractString(change.json, 'state', 'annotations', 'summary'), window),
        if(ended < time, '', formatDateTime(ended, ' It ended on %F at %T UTC.', 'UTC'))
    ) AS text,
    ['alert', any(JSONExtractString(change.json, 'state', 'severity'))] AS tags
FROM
(
    SELECT window, arrayJoin(changes) AS change
    FROM
    (
        SELECT chain, window, changes
        FROM alert_evaluations
        WHERE chain IN ('sealed', 'ingest') AND window >= $__fromTime AND window <= $__toTime
        ORDER BY chain, window, evaluated_at, tail
        LIMIT 1 BY chain, window
    )
)
WHERE change.told
GROUP BY change.fingerprint, time
HAVING time >= $__fromTime
ORDER BY time
