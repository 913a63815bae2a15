-- Every rule, of a disabled one what it said last: what it found and did within [since, until), and when it last found
-- something, fired or acted within [back, until).
SELECT
    known.id AS id, newest.1 AS at, newest.2 AS deleted, newest.3 AS by, newest.4 AS note, known.versions AS versions,
    told.1 AS version, told.2 AS owner, told.3 AS severity, told.4 AS scope, told.5 AS action, told.6 AS rule,
    found.judged AS judged, found.hit AS hit, did.requests AS requests, did.slots AS slots,
    did.slots / nullIf(
        (
            SELECT sum(slots) FROM $database.pressure
            WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
        ),
        0
    ) AS slot_share,
    did.conflicts AS conflicts, did.lost AS lost,
    greatest(found.last_hit, did.last_acted) AS last_hit, fired.last_fired AS last_fired
FROM
(
    SELECT
        id,
        max((record_at, deleted, by, note)) AS newest,
        argMaxIf((version, owner, severity, scope, action, rule), record_at, NOT deleted) AS told,
        uniqExactIf(version, NOT deleted) AS versions
    FROM $database.rules
    GROUP BY id
) AS known
LEFT JOIN
(
    SELECT
        toString(rule) AS rule, sumIf(r.judged, window >= {since:DateTime('UTC')}) AS judged,
        sumIf(r.hit, window >= {since:DateTime('UTC')}) AS hit,
        maxIf(window, r.hit > 0) AS last_hit
    FROM $database.rule_hits AS r
    WHERE window >= {back:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    GROUP BY rule
) AS found ON found.rule = known.id
LEFT JOIN
(
    SELECT
        toString(rule) AS rule, sumIf(r.requests, window >= {since:DateTime('UTC')}) AS requests,
        sumIf(r.slots, window >= {since:DateTime('UTC')}) AS slots,
        sumIf(r.conflicts, window >= {since:DateTime('UTC')}) AS conflicts,
        sumIf(r.lost, window >= {since:DateTime('UTC')}) AS lost,
        maxIf(window, r.requests > 0) AS last_acted
    FROM $database.rule_pressure AS r
    WHERE window >= {back:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    GROUP BY rule
) AS did ON did.rule = known.id
LEFT JOIN
(
    SELECT labels['rule'] AS rule, max(window) AS last_fired
    FROM $database.alert_changes
    WHERE alert = 'RuleViolated' AND status = 'firing' AND window >= {back:DateTime('UTC')}
        AND window < {until:DateTime('UTC')}
    GROUP BY rule
) AS fired ON fired.rule = known.id
ORDER BY deleted, id
