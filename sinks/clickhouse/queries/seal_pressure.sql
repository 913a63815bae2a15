-- Per placement: how far what was served is from the model's order, and what that cost by its scores.
INSERT INTO $database.pressure_runs
$measured
SELECT
    {window:DateTime('UTC')}, {run:UInt64}, {tail:UInt64},
    placement,
    count(),
    countIf(judged),
    toFloat64(sumIf(toDecimal64(pressure, 9), judged)),
    countIf(has_regret),
    toFloat64(sumIf(toDecimal64(least(greatest(1 - gained / (ideal + (ideal = 0)), 0), 1), 9), has_regret)),
    sum(slots),
    sum(slots_by_rules),
    countIf(constrained),
    countIf(over),
    countIf(over_2k),
    countIf(matching > 0),
    countIf(has(conflicting, 1)),
    sum(arraySum(conflicting)),
    sumMap(map(matching::UInt32, 1::UInt64))
FROM measured
GROUP BY placement
