-- What was pending or firing of an alert's name, window by window of a period; the newest first.
SELECT
    toUnixTimestamp(at) AS window,
    arrayFilter(state -> JSONExtractString(state, 'alert') = {alert:String}, states) AS states
FROM
(
    SELECT chain, window AS at, states
    FROM $database.alert_evaluations
    WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    ORDER BY chain, window, evaluated_at, tail
    LIMIT 1 BY chain, window
)
WHERE notEmpty(states)
ORDER BY at DESC
LIMIT {limit:UInt32}
