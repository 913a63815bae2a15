SELECT stage
FROM stage_metrics
WHERE $__timeFilter(window)
GROUP BY stage
ORDER BY indexOf({stages}, stage)
