-- Events a second, by the windows that have any: a component that stops sending falls to nothing beside the others.
SELECT time, place, n / (10 * max(windows) OVER (PARTITION BY time)) AS calls
FROM
(
    SELECT $__timeInterval(window) AS time, concat(stage, '/', component) AS place, sum(m.n) AS n, uniqExact(window) AS windows
    FROM stage_metrics AS m
    WHERE $__timeFilter(window)
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
        AND $__conditionalAll(stage IN (${stage:singlequote}), $stage)
        AND $__conditionalAll(component IN (${component:singlequote}), $component)
    GROUP BY time, place
)
ORDER BY time, place
