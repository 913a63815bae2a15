-- Every rule as it was published last, what it found from {since} on, and if it acts, what it did.
SELECT
    id, newest.1 AS at, newest.2 AS deleted, newest.3 AS version, newest.4 AS owner, newest.5 AS severity,
    newest.6 AS scope, newest.7 AS action, newest.8 AS rule, newest.9 AS by, newest.10 AS note,
    found.judged AS judged, found.hit AS hit, found.last_hit AS last_hit,
    if(
        action = '', NULL,
        did.slots / nullIf((SELECT sum(slots) FROM $database.pressure WHERE window >= {since:DateTime('UTC')}), 0)
    ) AS slot_share,
    if(action = '', NULL, did.conflicts) AS conflicts
FROM
(
    SELECT
        id,
        max((record_at, deleted, version, owner, severity, scope, action, rule, by, note)) AS newest
    FROM $database.rules
    GROUP BY id
) AS known
LEFT JOIN
(
    SELECT rule, sum(its_judged) AS judged, sum(its_hit) AS hit, max(if(its_hit > 0, window, NULL)) AS last_hit
    FROM
    (
        SELECT rule, window, sum(judged) AS its_judged, sum(hit) AS its_hit
        FROM $database.rule_hits
        WHERE window >= {since:DateTime('UTC')}
        GROUP BY rule, window
    )
    GROUP BY rule
) AS found ON found.rule = known.id
LEFT JOIN
(
    SELECT rule, sum(slots) AS slots, sum(conflicts) AS conflicts
    FROM $database.rule_pressure
    WHERE window >= {since:DateTime('UTC')}
    GROUP BY rule
) AS did ON did.rule = known.id
ORDER BY deleted, id
