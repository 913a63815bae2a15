-- The twelve most frequent reasons; the rest is one.
WITH
    (
        SELECT groupArray(reason)
        FROM
        (
            SELECT reason
            FROM drop_metrics
            WHERE $__timeFilter(window)
                AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
                AND $__conditionalAll(stage IN (${stage:singlequote}), $stage)
                AND $__conditionalAll(component IN (${component:singlequote}), $component)
            GROUP BY reason
            ORDER BY sum(n) DESC, reason
            LIMIT 12
        )
    ) AS frequent
SELECT
    $__timeInterval(window) AS time,
    if(has(frequent, drop_metrics.reason), drop_metrics.reason, 'other reasons') AS why,
    sum(n) / sum(sum(n)) OVER (PARTITION BY time) AS share
FROM drop_metrics
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(stage IN (${stage:singlequote}), $stage)
    AND $__conditionalAll(component IN (${component:singlequote}), $component)
GROUP BY time, why
ORDER BY time, why
