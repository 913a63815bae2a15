-- What one rule did over time, in steps of so many seconds.
SELECT
    toDateTime(intDiv(toUInt32(window), {step:UInt32}) * {step:UInt32}, 'UTC') AS at,
    sum(r.requests) AS requests, sum(r.slots) AS slots
FROM $database.rule_pressure AS r
WHERE rule = {rule:String} AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
GROUP BY at
ORDER BY at
