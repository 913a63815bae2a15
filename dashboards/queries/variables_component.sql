SELECT DISTINCT component
FROM stage_metrics
WHERE $__timeFilter(window)
    AND $__conditionalAll(stage IN (${stage:singlequote}), $stage)
ORDER BY component
