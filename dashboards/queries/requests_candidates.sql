-- One request's candidates: who brought each, what the model says, where it was seen last, and why it went.
SELECT
    item,
    indexOf(any(served), item) AS "position",
    arrayStringConcat(arraySort(groupUniqArrayIf(component, kind = 'listed' AND stage = 'retrieval')), ', ') AS "sources",
    argMaxIf(score, number, stage = 'scoring' AND score IS NOT NULL) AS "score",
    argMaxIf(concat(stage, '/', component), number, kind = 'listed') AS "last seen",
    argMinIf(concat(stage, '/', component, ': ', reason), number, kind = 'dropped') AS "dropped"
FROM
(
    SELECT
        served, number, s.stage AS stage, s.component AS component, mention.1 AS kind, mention.2 AS reason,
        mention.3 AS item, mention.4 AS score
    FROM
    (
        SELECT
            served, s, number,
            arrayConcat(
                if(
                    s.stage = 'request', [],
                    arrayMap((item, n) -> ('listed', '', item, s.scores[n]), s.items, arrayEnumerate(s.items))
                ),
                arrayFlatten(arrayMap(
                    (reason, items) -> arrayMap(item -> ('dropped', reason, item, NULL), items),
                    mapKeys(s.dropped), mapValues(s.dropped)
                ))
            )::Array(Tuple(String, String, String, Nullable(Float32))) AS mentions
        FROM traces
        ARRAY JOIN stages AS s, arrayEnumerate(stages) AS number
        WHERE request_id = ${request:singlequote}
    )
    ARRAY JOIN mentions AS mention
)
GROUP BY item
ORDER BY "position" = 0, "position", "score" DESC NULLS LAST, item
LIMIT 2000
