SELECT $__timeInterval(window) AS time, placement, {bad} / nullIf({of}, 0) AS share
FROM segment_metrics AS m
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
GROUP BY time, placement
ORDER BY time, placement
