-- Of about {sample} requests, evenly over the time: what each source brings, and what of it is served. A slot counts for
-- each of its sources in equal parts. What only one source brings is counted as what is missing without it.
WITH
    (
        SELECT greatest(intDiv(sum(requests), {sample}), 1)
        FROM segment_metrics
        WHERE $__timeFilter(window) AND segment = ''
            AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    ) AS nth
SELECT
    source.name AS component,
    count() AS "requests",
    avg(length(source.items)) AS "candidates",
    avg(empty(source.items)) AS "nothing",
    avg(total) AS "candidates of all sources",
    sum(source.alone) / nullIf(sum(length(source.items)), 0) AS "found by it alone",
    sum(source.served) / nullIf(sum(length(source.items)), 0) AS "survival",
    sum(source.slots) / nullIf(any(all_slots), 0) AS "share of served"
FROM
(
    SELECT
        length(arrayDistinct(arrayFlatten(lists.items))) AS total,
        arrayMap(
            one -> (
                one.name,
                one.items,
                total - length(arrayDistinct(arrayFlatten(arrayFilter(each -> each.name != one.name, lists).items))),
                length(arrayIntersect(one.items, served)),
                arraySum(
                    item -> 1 / arrayCount(each -> has(each.items, item), lists), arrayIntersect(one.items, served)
                )
            ),
            lists
        )::Array(Tuple(name String, items Array(String), alone Int64, served UInt64, slots Float64)) AS sources,
        sum(arraySum(sources.slots)) OVER () AS all_slots
    FROM
    (
        SELECT
            served,
            arrayMap(
                name -> (
                    name,
                    arrayDistinct(arrayFlatten(arrayFilter(s -> s.stage = 'retrieval' AND s.component = name, stages).items))
                ),
                arrayDistinct(arrayFilter(s -> s.stage = 'retrieval', stages).component)
            )::Array(Tuple(name String, items Array(String))) AS lists
        FROM traces
        WHERE $__timeFilter(window) AND sipHash64(request_id) % nth = 0
            AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    )
)
ARRAY JOIN sources AS source
WHERE $__conditionalAll(source.name IN (${component:singlequote}), $component)
GROUP BY component
ORDER BY "share of served" DESC, component
