-- Bad requests of all, of each placement, over several {spans} (seconds) that end with the window {last}, and how many
-- windows of them are known. Those that lack a partition are not: of what is not there yet no response would be known. A fallback that is empty counts as
-- two bad ones, as far as there are so many requests.
WITH {last:DateTime('UTC')} AS newest, {spans:Array(UInt32)} AS lengths
SELECT
    placement,
    (
        SELECT sumForEach(arrayMap(length -> window > newest - toIntervalSecond(length), lengths))
        FROM $database.visible
        WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND NOT incomplete
    ),
    sumForEach(arrayMap(length -> if(window > newest - toIntervalSecond(length), bad, 0), lengths)),
    sumForEach(arrayMap(length -> if(window > newest - toIntervalSecond(length), total, 0), lengths))
FROM
(
    SELECT placement, window, least(requests - responded + empty + fallback, requests) AS bad, requests AS total
    FROM $database.segment_metrics
    WHERE segment = '' AND window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND window NOT IN
    (
        SELECT window
        FROM $database.visible
        WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND incomplete
    )
)
GROUP BY placement
ORDER BY placement
