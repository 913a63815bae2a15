-- What each segment and arm does with what it is shown. expected: as many clicks as its positions get of all requests.
SELECT
    if(name = '', 'all requests', name) AS "segment",
    sum(shown) AS "impressions",
    sum(clicks) AS "clicks",
    "clicks" / "impressions" AS "CTR",
    {low} AS "at least",
    {high} AS "at most",
    "clicks" / nullIf(sum(shown * clicks_of_all / nullIf(shown_of_all, 0)), 0) AS "COEC",
    sum(carts) / "impressions" AS "carts",
    sum(purchases) / "impressions" AS "purchases",
    sum(dismissals) / "impressions" AS "dismissals"
FROM
(
    SELECT
        *,
        maxIf(clicks, name = '') OVER at_position AS clicks_of_all,
        maxIf(shown, name = '') OVER at_position AS shown_of_all
    FROM
    (
        SELECT
            name, placement, slot.2 AS position, count() AS shown, countIf(has(clicked, slot.1)) AS clicks,
            countIf(has(carted, slot.1)) AS carts, countIf(has(bought, slot.1)) AS purchases,
            countIf(has(dismissed, slot.1)) AS dismissals
        FROM
        (
            SELECT placement, slots, clicked, carted, bought, dismissed, arrayJoin(arrayPushFront({named}, '')) AS name
            FROM ({shown}) AS traces
        )
        ARRAY JOIN slots AS slot
        GROUP BY name, placement, position
    )
    WINDOW at_position AS (PARTITION BY placement, position)
)
WHERE name = ''
    OR $__conditionalAll(substring(name, 1, position(name, '=') - 1) IN (${dimension:singlequote}), $dimension)
GROUP BY name
ORDER BY name
LIMIT 1000
