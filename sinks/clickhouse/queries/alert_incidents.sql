-- What began to fire or ended in a period, and what began before its end and ended later; the newest first.
SELECT chain, toUnixTimestamp(at) AS window, change.json AS json
FROM
(
    SELECT
        chain, window AS at,
        arrayJoin(arrayFilter(
            c -> c.began < {until:DateTime('UTC')} AND ({fingerprint:String} = '' OR c.fingerprint = {fingerprint:String})
                AND (window < {until:DateTime('UTC')} OR c.status = 'resolved'),
            changes
        )) AS change
    FROM
    (
        SELECT chain, window, changes
        FROM $database.alert_evaluations
        WHERE window >= {since:DateTime('UTC')} - INTERVAL 10 SECOND
        ORDER BY chain, window, evaluated_at, tail
        LIMIT 1 BY chain, window
    )
)
ORDER BY at DESC
LIMIT {limit:UInt32}
