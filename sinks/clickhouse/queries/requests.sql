-- Requests by what people remember of them, newest first: sealed traces, and what has landed but is not sealed yet.
-- Which of them are shown is found by what is small; their stages, most of a trace, are read for these alone.
--   $unsealed  traces of all that is not sealed   $landed  of those among them that are shown
WITH
    shown AS
    (
        SELECT window, request_id
        FROM $database.traces
        WHERE $when AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')} AND $filters
        ORDER BY at DESC
        LIMIT {limit:UInt32}
    ),
    landed AS
    (
        SELECT window, request_id
        FROM ($unsealed)
        WHERE at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')} AND $filters
        ORDER BY at DESC
        LIMIT {limit:UInt32}
    )
SELECT
    request_id, at, placement, user_id, statuses, n_served, k, total_ms, segments, experiments,
    arrayMap(s -> (s.component, s.version), arrayFilter(s -> s.version != '', stages)) AS versions,
    indexOf(served, {item:String}) AS position
FROM
(
    SELECT $columns FROM $database.traces WHERE $when AND (window, request_id) IN (SELECT window, request_id FROM shown)
    UNION ALL
    SELECT $columns FROM ($landed)
)
ORDER BY at DESC
LIMIT {limit:UInt32}
