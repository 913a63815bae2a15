-- Requests that show each ending: of each window the lowest id, so that it is the same for everybody.
SELECT
    window AS time,
    if(fate = 'served', fate, concat(fate, ' ', component, if(reason = '', '', concat(': ', reason)))) AS ending,
    example AS request,
    placement,
    sum(n) AS "alike"
FROM item_outcomes
WHERE item = ${item:singlequote} AND $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
GROUP BY time, ending, request, placement
ORDER BY time DESC, ending, request
LIMIT 100
