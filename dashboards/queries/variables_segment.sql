-- The total first, also where there is no other.
SELECT arrayJoin(arrayPushFront(arraySort(groupUniqArray(10000)(segment)), 'all requests')) AS value
FROM segment_metrics
WHERE $__timeFilter(window) AND segment != ''
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
