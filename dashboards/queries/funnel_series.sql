SELECT $__timeInterval(window) AS time, concat(stage, '/', component) AS place, {value} AS value
FROM stage_metrics AS m
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(stage IN (${stage:singlequote}), $stage)
    AND $__conditionalAll(component IN (${component:singlequote}), $component)
    AND {where}
GROUP BY time, place
HAVING isFinite(value)
ORDER BY time, place
