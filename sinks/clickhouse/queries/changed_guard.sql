-- How candidacies of items ended that the catalogue said were not available when the window began; now and in the time
-- to compare with. Only items that ever were not are looked up.
SELECT
    placement, fate, stage, component, reason, is_now, sum(n) AS candidacies, uniqExact(item, window) AS episodes,
    arraySort(groupUniqArray(5)(example)) AS examples
FROM
(
    SELECT
        item, placement, fate, stage, component, reason, n, example, window,
        toDateTime64(window, 3, 'UTC') AS at, window >= {since:DateTime('UTC')} AS is_now
    FROM $database.item_outcomes
    WHERE $both AND segment = '' AND ({placement:String} = '' OR placement = {placement:String})
        AND item IN (SELECT item FROM $database.catalog WHERE available = false)
) AS outcomes
ASOF INNER JOIN (SELECT item, record_at, available FROM $database.catalog FINAL) AS entries
ON outcomes.item = entries.item AND outcomes.at >= entries.record_at
WHERE entries.available = false
GROUP BY placement, fate, stage, component, reason, is_now
ORDER BY placement, fate, stage, component, reason, is_now
