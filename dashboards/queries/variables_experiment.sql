SELECT DISTINCT substring(segment, 12, position(segment, '=') - 12) AS experiment
FROM segment_metrics
WHERE $__timeFilter(window) AND startsWith(segment, 'experiment.')
ORDER BY experiment
