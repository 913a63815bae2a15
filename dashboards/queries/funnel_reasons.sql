-- Of what a component drops, the share by reason, and the same in as long a time before.
SELECT
    stage,
    component,
    reason,
    sumIf(n, is_now) AS "dropped",
    "dropped" / nullIf(sum("dropped") OVER (PARTITION BY stage, component), 0) AS "share",
    sumIf(n, NOT is_now) AS before,
    before / nullIf(sum(before) OVER (PARTITION BY stage, component), 0) AS "share before",
    sumIf(events, is_now) AS "calls"
FROM (SELECT *, window >= $__fromTime AS is_now FROM drop_metrics) AS m
WHERE window >= $__fromTime - ($__toTime - $__fromTime) AND window <= $__toTime
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(stage IN (${stage:singlequote}), $stage)
    AND $__conditionalAll(component IN (${component:singlequote}), $component)
GROUP BY stage, component, reason
ORDER BY "dropped" DESC, stage, component, reason
LIMIT 200
