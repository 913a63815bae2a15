-- Evaluations of a chain after a window in which something changed, oldest first.
SELECT toUnixTimestamp(at), run, verdict, states, jsons
FROM
(
    SELECT window AS at, run, verdict, states, changes.json AS jsons
    FROM $database.alert_evaluations
    WHERE chain = {chain:String} AND window > {after:DateTime('UTC')}
    ORDER BY window, evaluated_at, tail
    LIMIT 1 BY window
)
WHERE notEmpty(jsons)
ORDER BY at
LIMIT {limit:UInt32}
