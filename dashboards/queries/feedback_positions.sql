SELECT
    placement,
    slot.2 AS "position",
    count() AS "impressions",
    countIf(has(clicked, slot.1)) AS "clicks",
    "clicks" / "impressions" AS "CTR",
    {low} AS "at least",
    {high} AS "at most"
FROM ({shown})
ARRAY JOIN slots AS slot
GROUP BY placement, "position"
ORDER BY placement, "position"
LIMIT 500
