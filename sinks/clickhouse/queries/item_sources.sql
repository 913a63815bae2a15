-- Which sources brought an item, how often it was served when they did, and the same before.
SELECT
    source,
    sumIf(n, window >= {since:DateTime('UTC')}) AS now,
    sumIf(n, window >= {since:DateTime('UTC')} AND fate = 'served') AS served,
    sumIf(n, window < {since:DateTime('UTC')}) AS before,
    sumIf(n, window >= {since:DateTime('UTC')} AND length(sources) <= 1) AS alone
FROM $database.item_outcomes
ARRAY JOIN if(empty(sources), ['(no source)'], sources) AS source
WHERE item = {item:String} AND segment = {segment:String} AND window >= {before:DateTime('UTC')}
    AND window < {until:DateTime('UTC')} AND ({placement:String} = '' OR placement = {placement:String})
GROUP BY source
ORDER BY now DESC, before DESC, source
