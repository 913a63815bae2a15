-- How an item's candidacies ended over time, unsampled: from before until the end of the period.
SELECT
    toDateTime(intDiv(toUInt32(window), {step:UInt32}) * {step:UInt32}, 'UTC') AS at, fate, stage, component, reason,
    sum(n) AS times
FROM $database.item_outcomes
WHERE item = {item:String} AND segment = {segment:String} AND window >= {before:DateTime('UTC')}
    AND window < {until:DateTime('UTC')} AND ({placement:String} = '' OR placement = {placement:String})
GROUP BY at, fate, stage, component, reason
ORDER BY at, times DESC
LIMIT 100000
