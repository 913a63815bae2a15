-- Reliability: tenths of the shown items by score.
SELECT
    component,
    version,
    tenth,
    min(score) AS "from",
    max(score) AS "to",
    count() AS "impressions",
    avg(score) AS "predicted",
    countIf(click) AS "clicks",
    "clicks" / "impressions" AS "CTR",
    {low} AS "at least",
    {high} AS "at most",
    'scoring' AS "stage"
FROM
(
    SELECT *, ntile(10) OVER (PARTITION BY component, version ORDER BY score) AS tenth
    FROM ({scored})
)
GROUP BY component, version, tenth
ORDER BY component, version, tenth
LIMIT 500
