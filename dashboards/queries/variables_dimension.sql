-- What requests are told apart by: the names of segments, and of experiments.
SELECT DISTINCT substring(segment, 1, position(segment, '=') - 1) AS dimension
FROM segment_metrics
WHERE $__timeFilter(window) AND segment != ''
ORDER BY dimension
