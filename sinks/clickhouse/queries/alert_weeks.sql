-- Requests of each placement in one slot of this week and of earlier ones, by the windows of them all; a row of zeros for
-- a slot without any. Left out are weeks in which one of its {size} windows is not sealed, or lacks a partition.
SELECT weeks, placement, requests, responded, empty, short, fallback, failed
FROM
(
    SELECT intDiv({last:DateTime('UTC')} - window, 604800) AS weeks
    FROM $database.visible
    WHERE window IN {windows:Array(DateTime('UTC'))} AND NOT incomplete
    GROUP BY weeks
    HAVING count() = {size:UInt32}
) AS known
LEFT JOIN
(
    SELECT
        intDiv({last:DateTime('UTC')} - window, 604800) AS weeks, placement,
        sum(requests) AS requests, sum(responded) AS responded, sum(empty) AS empty, sum(short) AS short,
        sum(fallback) AS fallback, sum(failed) AS failed
    FROM $database.segment_metrics
    WHERE segment = '' AND window IN {windows:Array(DateTime('UTC'))}
    GROUP BY weeks, placement
) AS counted USING (weeks)
ORDER BY weeks, placement
