-- One request's events in pipeline order, whatever time is shown. ms: after its first event.
SELECT
    s.stage AS stage,
    s.component AS component,
    s.version AS version,
    s.attempt AS attempt,
    dateDiff('millisecond', arrayMin(stages.ts), s.ts) AS "after",
    s.duration_ms AS "took",
    s.status AS status,
    s.n_in AS "in",
    ifNull(s.n_out, if(s.has_items, length(s.items), NULL)) AS "out",
    arrayStringConcat(
        arrayMap((reason, items) -> concat(reason, ': ', toString(length(items))), mapKeys(s.dropped), mapValues(s.dropped)), ', '
    ) AS "dropped",
    arrayStringConcat(arrayMap(a -> concat(a.rule_id, ' ', a.action, ' ', a.item), s.adjustments), ', ') AS "rules",
    s.error AS "error"
FROM traces
ARRAY JOIN stages AS s, arrayEnumerate(stages) AS number
WHERE request_id = ${request:singlequote}
ORDER BY number
