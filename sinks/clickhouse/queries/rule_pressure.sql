-- What each rule did to candidates and served slots within [since, until), at one placement or, without, at all.
SELECT
    p.rule AS rule,
    sum(p.requests) AS requests,
    sum(p.boosted) AS boosted,
    sum(p.buried) AS buried,
    sum(p.pinned) AS pinned,
    sum(p.injected) AS injected,
    sum(p.excluded) AS excluded,
    sum(p.slots) AS slots,
    slots / nullIf(
        (
            SELECT sum(slots) FROM $database.pressure
            WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
                AND ({placement:String} = '' OR placement = {placement:String})
        ),
        0
    ) AS slot_share,
    sum(p.slots_boosted) AS slots_boosted,
    sum(p.slots_buried) AS slots_buried,
    sum(p.slots_pinned) AS slots_pinned,
    sum(p.slots_injected) AS slots_injected,
    sum(p.conflicts) AS conflicts,
    sum(p.lost) AS lost,
    sumMap(p.against) AS against
FROM $database.rule_pressure AS p
WHERE p.window >= {since:DateTime('UTC')} AND p.window < {until:DateTime('UTC')}
    AND ({placement:String} = '' OR p.placement = {placement:String})
GROUP BY rule
ORDER BY slots DESC, requests DESC, rule
