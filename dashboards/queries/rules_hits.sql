SELECT $__timeInterval(window) AS time, rule, sum(hit) / nullIf(sum(judged), 0) AS share
FROM rule_hits
WHERE $__timeFilter(window)
    AND $__conditionalAll(rule IN (${rule:singlequote}), $rule)
GROUP BY time, rule
ORDER BY time, rule
