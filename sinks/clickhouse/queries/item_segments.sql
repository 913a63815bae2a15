-- How an item's candidacies ended by segment, now and in as long a time before, beside the requests of that segment.
SELECT
    outcomes.segment AS segment, fate, stage, component, reason, now, before,
    requests.now AS requests, requests.before AS requests_before
FROM
(
    SELECT
        segment::String AS segment, fate, stage, component, reason,
        sumIf(n, window >= {since:DateTime('UTC')}) AS now,
        sumIf(n, window < {since:DateTime('UTC')}) AS before
    FROM $database.item_outcomes
    WHERE item = {item:String} AND segment != '' AND window >= {before:DateTime('UTC')}
        AND window < {until:DateTime('UTC')} AND ({placement:String} = '' OR placement = {placement:String})
    GROUP BY segment, fate, stage, component, reason
) AS outcomes
LEFT JOIN
(
    SELECT
        segment::String AS segment,
        sumIf(requests, window >= {since:DateTime('UTC')}) AS now,
        sumIf(requests, window < {since:DateTime('UTC')}) AS before
    FROM $database.segment_metrics
    WHERE window >= {before:DateTime('UTC')} AND window < {until:DateTime('UTC')}
        AND ({placement:String} = '' OR placement = {placement:String})
    GROUP BY segment
) AS requests USING (segment)
ORDER BY now DESC, before DESC, segment, fate, stage, component, reason
LIMIT 10000
