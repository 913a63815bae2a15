-- Requests that rules found at fault, newest first, each with all that a rule may group by.
SELECT toUnixTimestamp(window), rule, request_id, placement, served_by, segments, experiments
FROM
(
    SELECT DISTINCT window, rule, request_id
    FROM $database.violations
    WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
    ORDER BY request_id
    LIMIT 100 BY rule, window
) AS found
INNER JOIN
(
    SELECT window, request_id, placement, served_by, segments, experiments
    FROM $database.traces
    WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND request_id IN
    (
        SELECT request_id
        FROM $database.violations
        WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
    )
) AS known USING (window, request_id)
ORDER BY window DESC, request_id
