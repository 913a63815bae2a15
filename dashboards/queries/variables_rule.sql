-- Published ones, and those that events name.
SELECT rule
FROM
(
    SELECT id AS rule FROM rules
    UNION DISTINCT
    SELECT toString(rule) FROM rule_pressure WHERE $__timeFilter(window)
)
ORDER BY rule
