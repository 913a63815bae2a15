-- Parts that lie in another window than their request, for the request ids of $ids, as far as $near reaches.
-- A request's home is the window of its lowest (record time, hash) request event.
INSERT INTO $database.strays (request_id, window, home, parts)
WITH near AS
(
    SELECT
        request_id, window, count() AS parts, max(has_request) AS requested,
        minIf((at, request_hash, window), has_request) AS lowest
    FROM $database.landing
    WHERE $near AND request_id IN ($ids)
    GROUP BY request_id, window
)
SELECT request_id, window, home, parts
FROM near
INNER JOIN
(
    SELECT request_id, minIf(lowest, requested).3 AS home
    FROM near
    GROUP BY request_id
    HAVING count() > 1 AND max(requested)
) AS homes USING (request_id)
WHERE window != home
    AND (request_id, window, home, parts) NOT IN (SELECT request_id, window, home, parts FROM $database.strays)
