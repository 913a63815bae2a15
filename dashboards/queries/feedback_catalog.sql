-- How much of the catalogue is shown, and how unevenly: items that are never shown count. A row for all placements, too.
SELECT
    place AS placement,
    arraySum(counts) AS "impressions",
    shown AS "items",
    size AS "catalogue",
    shown / size AS "coverage",
    arraySum((c, number) -> (2 * (size - shown + number) - size - 1) * c, counts, arrayEnumerate(counts))
        / nullIf((size - 1) * "impressions", 0) AS "Gini",
    arraySum(arraySlice(counts, -10)) / "impressions" AS "top 10",
    arraySum(arraySlice(counts, -toInt64(ceil(size / 100)))) / "impressions" AS "top 1 %",
    exp(-arraySum(c -> c / "impressions" * log(c / "impressions"), counts)) AS "effective items"
FROM
(
    SELECT
        place, arraySort(groupArray(n)) AS counts, length(counts)::Int64 AS shown,
        greatest(shown, (
            SELECT countIf(NOT gone)
            FROM (SELECT item, argMax(deleted, record_at) AS gone FROM catalog GROUP BY item)
        )::Int64) AS size
    FROM
    (
        SELECT arrayJoin(['', placement]) AS place, slot.1 AS item, count()::Int64 AS n
        FROM ({shown})
        ARRAY JOIN slots AS slot
        GROUP BY place, item
    )
    GROUP BY place
)
ORDER BY "impressions" DESC, placement
