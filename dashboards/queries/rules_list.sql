-- Every rule as it was published last, or as events name it, what it found and what it did in the time shown.
SELECT
    rule,
    newest.1 AS "owner",
    newest.2 AS "severity",
    if(newest.4, 'disabled', newest.3) AS "action",
    found.judged AS "judged",
    found.hit AS "at fault",
    found.hit / nullIf(found.judged, 0) AS "share at fault",
    did.requests AS "matched",
    did.slots AS "slots",
    did.conflicts AS "conflicts",
    did.lost AS "lost"
FROM
(
    SELECT id AS rule, max((record_at, owner, severity, action, deleted)) AS last, (last.2, last.3, last.4, last.5) AS newest
    FROM rules
    GROUP BY id
) AS known
FULL JOIN
(
    SELECT toString(rule) AS rule, sum(judged) AS judged, sum(hit) AS hit
    FROM rule_hits
    WHERE $__timeFilter(window)
    GROUP BY rule
) AS found USING (rule)
FULL JOIN
(
    SELECT
        toString(rule) AS rule, sum(r.requests) AS requests, sum(r.slots) AS slots, sum(r.conflicts) AS conflicts,
        sum(r.lost) AS lost
    FROM rule_pressure AS r
    WHERE $__timeFilter(window)
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    GROUP BY rule
) AS did USING (rule)
WHERE $__conditionalAll(rule IN (${rule:singlequote}), $rule)
ORDER BY "at fault" DESC, "slots" DESC, rule
LIMIT 2000
