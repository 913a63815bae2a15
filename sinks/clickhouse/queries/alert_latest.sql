-- The newest window of a chain that was evaluated. The subquery reads one column of the key, however long the history.
SELECT toUnixTimestamp(window), run, verdict, states, changes.json
FROM $database.alert_evaluations
WHERE chain = {chain:String}
    AND window = (SELECT max(window) FROM $database.alert_evaluations WHERE chain = {chain:String})
ORDER BY evaluated_at, tail
LIMIT 1
