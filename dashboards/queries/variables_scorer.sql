SELECT DISTINCT component
FROM score_metrics
WHERE $__timeFilter(window)
ORDER BY component
