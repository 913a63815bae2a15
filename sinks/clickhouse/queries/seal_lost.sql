-- Requests with parts that may lie anywhere: orphans; and of what landed since {fresh} every part without a request event,
-- and every part of a request that has a flagged one (its own time may be believed by now, or not any more).
SELECT request_id
FROM $database.landing
WHERE window >= {since:DateTime('UTC')} AND NOT has_request
    AND (landed_at >= {fresh:DateTime('UTC')} OR (request_id, window) NOT IN (SELECT request_id, window FROM $database.strays))
UNION DISTINCT
SELECT request_id
FROM $database.landing
WHERE window >= {since:DateTime('UTC')} AND landed_at >= {fresh:DateTime('UTC')}
    AND request_id IN (SELECT request_id FROM $database.landing WHERE flagged)
