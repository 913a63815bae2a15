SELECT
    slot.1 AS item,
    count() AS "impressions",
    "impressions" / sum("impressions") OVER () AS "share",
    countIf(has(clicked, slot.1)) AS "clicks",
    "clicks" / "impressions" AS "CTR",
    {low} AS "at least",
    {high} AS "at most",
    countIf(has(bought, slot.1)) AS "purchases"
FROM ({shown})
ARRAY JOIN slots AS slot
GROUP BY item
ORDER BY "impressions" DESC, item
LIMIT 50
