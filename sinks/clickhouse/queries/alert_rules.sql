-- The rules, by version, that judged a window from {first} to {last}.
SELECT version, any(rule)
FROM $database.rules
WHERE version IN
(
    SELECT version
    FROM $database.rule_hits
    WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
)
GROUP BY version
