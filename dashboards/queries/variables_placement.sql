SELECT DISTINCT placement
FROM segment_metrics
WHERE $__timeFilter(window) AND segment = ''
ORDER BY placement
