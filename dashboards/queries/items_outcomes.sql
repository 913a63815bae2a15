SELECT
    $__timeInterval(window) AS time,
    if(fate IN ('served', 'cut'), fate, concat(fate, ' ', component, if(reason = '', '', concat(': ', reason)))) AS ending,
    sum(n) AS candidacies
FROM item_outcomes
WHERE item = ${item:singlequote} AND $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
GROUP BY time, ending
ORDER BY time, ending
