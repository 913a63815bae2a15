SELECT $__timeInterval(window) AS time, placement, {value} AS value
FROM pressure
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
GROUP BY time, placement
ORDER BY time, placement
