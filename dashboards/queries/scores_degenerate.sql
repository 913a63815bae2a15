-- As alert_spreads.sql has it: one score alone says nothing of a request.
SELECT
    $__timeInterval(window) AS time, component,
    sumIf(requests, spread IN ('constant', 'none')) / nullIf(sumIf(requests, spread != 'single'), 0) AS share
FROM score_metrics
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(component IN (${scorer:singlequote}), $scorer)
GROUP BY time, component
HAVING share IS NOT NULL
ORDER BY time, component
