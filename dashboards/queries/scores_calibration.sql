SELECT
    component,
    version,
    placement,
    count() AS "impressions",
    avg(score) AS "predicted",
    countIf(click) AS "clicks",
    "clicks" / "impressions" AS "CTR",
    {low} AS "at least",
    {high} AS "at most",
    sum(score) / nullIf("clicks", 0) AS "predicted per click",
    'scoring' AS "stage"
FROM ({scored})
GROUP BY component, version, placement
ORDER BY component, version, placement
LIMIT 500
