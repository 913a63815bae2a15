-- What one rule found over time, in steps of so many seconds.
SELECT
    toDateTime(intDiv(toUInt32(window), {step:UInt32}) * {step:UInt32}, 'UTC') AS at,
    sum(r.judged) AS judged, sum(r.hit) AS hit
FROM $database.rule_hits AS r
WHERE rule = {rule:String} AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
GROUP BY at
ORDER BY at
