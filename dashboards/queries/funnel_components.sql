-- Per component and version, in pipeline order, and what it let through in as long a time before.
SELECT
    stage,
    component,
    version,
    sumIf(n, is_now) AS "calls",
    "calls" / nullIf(sumIf(n, NOT is_now), 0) AS "of before",
    sumIf(m.failed, is_now) / nullIf("calls", 0) AS "failed",
    sumIf(zero_out, is_now) / nullIf("calls", 0) AS "nothing out",
    if(stage = 'retrieval', NULL, sumIf(n_in, is_now) / nullIf("calls", 0)) AS "in",
    sumIf(n_out, is_now) / nullIf("calls", 0) AS "out",
    sumIf(n_out, NOT is_now) / nullIf(sumIf(n, NOT is_now), 0) AS "out before",
    sumIf(n_out, is_now) / nullIf(sumIf(n_in, is_now), 0) AS "yield",
    sumIf(n_out, NOT is_now) / nullIf(sumIf(n_in, NOT is_now), 0) AS "yield before",
    quantilesTDigestMergeIf(0.5, 0.95, 0.99)(durations, is_now) AS took,
    if(isFinite(took[1]), took[1], NULL) AS "p50",
    if(isFinite(took[2]), took[2], NULL) AS "p95",
    if(isFinite(took[3]), took[3], NULL) AS "p99"
FROM (SELECT *, window >= $__fromTime AS is_now FROM stage_metrics) AS m
WHERE window >= $__fromTime - ($__toTime - $__fromTime) AND window <= $__toTime
    AND stage != 'request'
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(stage IN (${stage:singlequote}), $stage)
    AND $__conditionalAll(component IN (${component:singlequote}), $component)
GROUP BY stage, component, version
ORDER BY indexOf({stages}, stage), component, version
