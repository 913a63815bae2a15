SELECT $__timeInterval(window) AS time, arrayJoin(if(empty(statuses), ['as it should be'], statuses)) AS status, count() AS requests
FROM traces
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND (${segment:singlequote} IN ('', 'all requests') OR has({named}, ${segment:singlequote}))
GROUP BY time, status
ORDER BY time, status
