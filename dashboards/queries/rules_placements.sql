-- matched: how many rules match a request, at most, in 95 % of them.
SELECT
    placement,
    sum(p.requests) AS "requests",
    sum(pressure_sum) / nullIf(sum(judged), 0) AS "pressure",
    sum(regret_sum) / nullIf(sum(scored), 0) AS "regret",
    sum(slots_by_rules) / nullIf(sum(slots), 0) AS "slots by rules",
    sum(over_constrained) / nullIf(sum(constrained), 0) AS "fewer than asked for",
    sum(over_constrained_2k) / nullIf(sum(constrained), 0) AS "fewer than twice that",
    sum(adjusted) / "requests" AS "adjusted",
    sum(conflicted) / "requests" AS "with conflicts",
    sumMap(p.matched) AS by_rules,
    mapKeys(by_rules)[arrayFirstIndex(n -> n >= 0.95 * "requests", arrayCumSum(mapValues(by_rules)))] AS "matched"
FROM pressure AS p
WHERE $__timeFilter(window)
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
GROUP BY placement
ORDER BY "requests" DESC, placement
