-- The requests among which an item could have been: now and before.
SELECT
    sumIf(requests, window >= {since:DateTime('UTC')}) AS now,
    sumIf(requests, window < {since:DateTime('UTC')}) AS before,
    (SELECT if(count() = 0, NULL, max(window) + 10) FROM $database.visible) AS sealed
FROM $database.segment_metrics
WHERE segment = {segment:String} AND window >= {before:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    AND ({placement:String} = '' OR placement = {placement:String})
