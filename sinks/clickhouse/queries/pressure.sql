-- What rules did to the lists of each placement within [since, until): means and shares, NULL where there is nothing to
-- take one of.
SELECT
    p.placement AS placement,
    min(p.window) AS first,
    max(p.window) + 10 AS end,
    sum(p.requests) AS requests,
    sum(p.judged) AS judged,
    sum(p.pressure_sum) / nullIf(judged, 0) AS rule_pressure,
    sum(p.regret_sum) / nullIf(sum(p.scored), 0) AS score_regret,
    sum(p.slots) AS slots,
    sum(p.slots_by_rules) AS slots_by_rules,
    slots_by_rules / nullIf(slots, 0) AS slot_share,
    sum(p.constrained) AS constrained,
    sum(p.over_constrained) / nullIf(constrained, 0) AS over_constrained,
    sum(p.over_constrained_2k) / nullIf(constrained, 0) AS over_constrained_2k,
    sum(p.adjusted) / requests AS adjusted,
    sum(p.conflicted) / requests AS conflicted,
    sum(p.conflicts) AS conflicts,
    sumMap(p.matched) AS matched,
    mapKeys(matched)[arrayFirstIndex(n -> n >= 0.95 * requests, arrayCumSum(mapValues(matched)))] AS matched_p95
FROM $database.pressure AS p
WHERE p.window >= {since:DateTime('UTC')} AND p.window < {until:DateTime('UTC')}
GROUP BY placement
ORDER BY requests DESC, placement
