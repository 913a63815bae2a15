-- Distinct users by arm of the experiments that somebody planned. Requests of nobody known are left out.
SELECT experiment, arm, uniqExact(user_id)
FROM $database.traces
ARRAY JOIN mapKeys(experiments) AS experiment, mapValues(experiments) AS arm
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND user_id != ''
    AND experiment IN {experiments:Array(String)}
GROUP BY experiment, arm
ORDER BY experiment, arm
