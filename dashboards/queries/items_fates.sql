-- How its candidacies ended, and as many as in as long a time before.
SELECT
    fate,
    stage,
    component,
    reason,
    sumIf(n, window >= $__fromTime) AS "now",
    sumIf(n, window < $__fromTime) AS "before",
    "now" / nullIf(sum("now") OVER (), 0) AS "share",
    "before" / nullIf(sum("before") OVER (), 0) AS "share before",
    sumIf(rank_sum, window >= $__fromTime) / nullIf(sumIf(scored, window >= $__fromTime), 0) AS "mean rank",
    sumIf(score_sum, window >= $__fromTime) / nullIf(sumIf(scored, window >= $__fromTime), 0) AS "mean score",
    minIf(example, window >= $__fromTime) AS "example"
FROM item_outcomes
WHERE item = ${item:singlequote} AND window >= $__fromTime - ($__toTime - $__fromTime) AND window <= $__toTime
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
GROUP BY fate, stage, component, reason
ORDER BY "now" DESC, "before" DESC, fate, stage, component, reason
