-- Sealed requests, newest first. An item: a candidate of it, served or not. A rule: it was found at fault.
SELECT
    at,
    request_id AS request,
    placement,
    user_id AS user,
    arrayStringConcat(statuses, ', ') AS "statuses",
    n_served AS "served",
    k AS "asked for",
    total_ms AS "took",
    arrayStringConcat(arrayMap((name, value) -> concat(name, '=', value), mapKeys(segments), mapValues(segments)), ', ') AS "segments",
    arrayStringConcat(
        arrayMap((name, value) -> concat(name, '=', value), mapKeys(experiments), mapValues(experiments)), ', '
    ) AS "arms",
    arrayStringConcat(missing, ', ') AS "missing"
FROM traces
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND (${segment:singlequote} IN ('', 'all requests') OR has({named}, ${segment:singlequote}))
    AND $__conditionalAll(hasAny(traces.statuses, [${status:singlequote}]), $status)
    AND $__conditionalAll(user_id = ${user:singlequote}, $user)
    AND $__conditionalAll(arrayExists(s -> has(s.items, ${item:singlequote}), stages), $item)
    AND $__conditionalAll(request_id IN (SELECT request_id FROM violations WHERE rule = ${rule:singlequote} AND $__timeFilter(window)), $rule)
ORDER BY at DESC, request
LIMIT 200
