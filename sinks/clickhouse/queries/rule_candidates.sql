-- What the model says of the served items of each request, and who brought them: lists parallel to `served`.
$candidates,
ranked AS
(
    SELECT
        request_id,
        all_sources,
        lists[answer] AS shown,
        -- (position, item, model, mentioners); an item that was served twice is there once
        arraySort(
            each -> each.1,
            arrayFilter(each -> each.1 < 2147483648, arrayZip(decisive, items, modelled, mentioned_by))
        ) AS served,
        served.2 AS served_items,
        arrayMap(each -> each.3.1, served) AS served_scores,
        arrayMap(each -> if(each.3.1 IS NULL, 0, each.3.2 % 16777216)::UInt32, served) AS served_ranks,
        arrayMap(item -> indexOf(served_items, item), shown) AS places
    FROM candidates
)
SELECT
    request_id,
    arrayMap(place -> served_scores[place], places) AS scores,
    arrayMap(place -> served_ranks[place], places) AS model_ranks,
    arrayMap(
        place -> arrayFilter((name, i) -> bitTest(served[place].4, i - 1), all_sources, arrayEnumerate(all_sources)), places
    )::Array(Array(String)) AS sources
FROM ranked
