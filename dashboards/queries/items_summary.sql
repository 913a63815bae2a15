-- Every candidacy in this time, unsampled, and the requests among which the item could have been.
SELECT
    (
        SELECT sum(requests)
        FROM segment_metrics
        WHERE $__timeFilter(window)
            AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
            AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
    ) AS "requests",
    sum(n) AS "candidate in",
    sumIf(n, fate = 'served') AS "served in",
    "candidate in" / nullIf("requests", 0) AS "candidate share",
    "served in" / nullIf("requests", 0) AS "served share",
    sumIf(position_sum, fate = 'served') / nullIf("served in", 0) AS "mean position",
    sum(rank_sum) / nullIf(sum(scored), 0) AS "mean rank by the model"
FROM item_outcomes
WHERE item = ${item:singlequote} AND $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND segment = replaceOne(${segment:singlequote}, 'all requests', '')
