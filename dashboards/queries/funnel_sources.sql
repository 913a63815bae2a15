-- Of about {sample} requests, evenly over the time: what each source brings, and what of it is served. A slot counts for
-- each of its sources in equal parts. A source that brings nothing has the item ''.
WITH
    (
        SELECT greatest(intDiv(sum(requests), {sample}), 1)
        FROM segment_metrics
        WHERE $__timeFilter(window) AND segment = ''
            AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    ) AS nth
SELECT *
FROM
(
    SELECT
        name AS component,
        uniqExact(request_id) AS "requests",
        countIf(item != '') / "requests" AS "candidates",
        countIf(item = '') / "requests" AS "nothing",
        countIf(item != '' AND length(names) = 1) / nullIf(countIf(item != ''), 0) AS "found by it alone",
        sum(in_list) / nullIf(countIf(item != ''), 0) AS "survival",
        sum(in_list / length(names)) / nullIf(sum(sum(in_list / length(names))) OVER (), 0) AS "share of served"
    FROM
    (
        SELECT request_id, item, groupUniqArray(source) AS names, max(item != '' AND has(served, item)) AS in_list
        FROM
        (
            SELECT request_id, served, list.1 AS source, arrayJoin(if(empty(list.2), [''], list.2)) AS item
            FROM
            (
                SELECT
                    request_id,
                    served,
                    arrayJoin(arrayMap(s -> (s.component, s.items), arrayFilter(s -> s.stage = 'retrieval', stages))) AS list
                FROM traces
                WHERE $__timeFilter(window) AND sipHash64(request_id) % nth = 0
                    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
            )
        )
        GROUP BY request_id, item
    )
    ARRAY JOIN names AS name
    GROUP BY component
)
WHERE $__conditionalAll(component IN (${component:singlequote}), $component)
ORDER BY "share of served" DESC, component
