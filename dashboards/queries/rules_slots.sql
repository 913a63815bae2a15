-- The twelve rules with most slots.
SELECT time, rule, n / nullIf(total, 0) AS share
FROM
(
    SELECT $__timeInterval(window) AS time, rule, sum(slots) AS n
    FROM rule_pressure
    WHERE $__timeFilter(window) AND rule IN
    (
        SELECT rule
        FROM rule_pressure
        WHERE $__timeFilter(window)
            AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
            AND $__conditionalAll(rule IN (${rule:singlequote}), $rule)
        GROUP BY rule
        ORDER BY sum(slots) DESC, rule
        LIMIT 12
    )
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    GROUP BY time, rule
) AS its
INNER JOIN
(
    SELECT $__timeInterval(window) AS time, sum(slots) AS total
    FROM pressure
    WHERE $__timeFilter(window)
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    GROUP BY time
) AS every USING (time)
ORDER BY time, rule
