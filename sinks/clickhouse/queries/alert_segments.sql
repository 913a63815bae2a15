-- Requests of each segment at each placement: from {since} up to {first} as the usual time, number 0, and from there on
-- in slots of {slot} seconds, numbers 1 and up. Windows that lack a partition are left out.
SELECT
    placement, segment,
    if(window < {first:DateTime('UTC')}, 0, 1 + intDiv(window - {first:DateTime('UTC')}, {slot:UInt32})) AS number,
    toUnixTimestamp(min(window)),
    sum(requests), sum(responded), sum(empty), sum(short), sum(fallback), sum(failed)
FROM $database.segment_metrics
WHERE window BETWEEN {since:DateTime('UTC')} AND {last:DateTime('UTC')} AND window NOT IN
(
    SELECT window
    FROM $database.visible
    WHERE window BETWEEN {since:DateTime('UTC')} AND {last:DateTime('UTC')} AND incomplete
)
GROUP BY placement, segment, number
ORDER BY placement, segment, number
