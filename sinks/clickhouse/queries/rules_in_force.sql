-- The rules as of {at}, by id.
SELECT id, newest.1 AS version, newest.2 AS severity, newest.3 AS rule
FROM
(
    SELECT id, argMax((version, severity, rule, deleted), record_at) AS newest
    FROM $database.rules
    WHERE record_at <= {at:DateTime64(3, 'UTC')}
    GROUP BY id
)
WHERE NOT newest.4
ORDER BY id
