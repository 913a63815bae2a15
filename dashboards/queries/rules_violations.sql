-- Newest first. Of a rule that everything violates, a window keeps a thousand.
SELECT
    at,
    rule,
    severity,
    request_id AS request,
    placement,
    user_id AS user,
    item,
    position,
    arrayStringConcat(arrayMap((name, value) -> concat(name, '=', value), mapKeys(values), mapValues(values)), ', ') AS "saw"
FROM violations
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(rule IN (${rule:singlequote}), $rule)
ORDER BY at DESC, rule, request, position
LIMIT 200
