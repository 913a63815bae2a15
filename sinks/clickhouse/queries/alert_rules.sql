-- The rules, by version, that judged a window from {first} to {last}, or the newest one before that had requests, of a day:
-- a window without any judges nothing, and ends nothing.
SELECT version, any(rule)
FROM $database.rules
WHERE version IN
(
    SELECT version
    FROM $database.rule_hits
    WHERE window BETWEEN greatest(
            (
                SELECT max(window)
                FROM $database.visible
                WHERE requests > 0 AND window <= {first:DateTime('UTC')} AND window > {first:DateTime('UTC')} - INTERVAL 1 DAY
            ),
            {first:DateTime('UTC')} - INTERVAL 1 DAY
        )
        AND {last:DateTime('UTC')}
)
GROUP BY version
