-- Which sources brought it, and how often it was served when they did.
SELECT
    source AS component,
    sumIf(n, window >= $__fromTime) AS "now",
    sumIf(n, window < $__fromTime) AS "before",
    sumIf(n, window >= $__fromTime AND length(sources) = 1) / nullIf("now", 0) AS "found by it alone",
    sumIf(n, window >= $__fromTime AND fate = 'served') / nullIf("now", 0) AS "survival"
FROM item_outcomes
ARRAY JOIN if(empty(sources), ['(no source)'], sources) AS source
WHERE item = ${item:singlequote} AND window >= $__fromTime - ($__toTime - $__fromTime) AND window <= $__toTime
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
GROUP BY component
ORDER BY "now" DESC, "before" DESC, component
