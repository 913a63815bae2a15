-- Versions that no event of the hour before had, of components that had another one.
SELECT time, concat(component, ' ', version) AS title, concat(stage, '/', component, ' has version ', version) AS text, ['deploy'] AS tags
FROM
(
    SELECT stage, component, version, min(window) AS time, min(time) OVER (PARTITION BY stage, component) AS known
    FROM stage_metrics
    WHERE window >= $__fromTime - INTERVAL 1 HOUR AND window <= $__toTime AND version != ''
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    GROUP BY stage, component, version
)
WHERE time >= $__fromTime AND time > known
ORDER BY time
