SELECT $__timeInterval(window) AS time, substring(m.segment, 12) AS arm, {value} AS value
FROM segment_metrics AS m
WHERE $__timeFilter(window) AND startsWith(m.segment, 'experiment.')
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(substring(m.segment, 12, position(m.segment, '=') - 12) IN (${experiment:singlequote}), $experiment)
GROUP BY time, arm
HAVING isFinite(value)
ORDER BY time, arm
