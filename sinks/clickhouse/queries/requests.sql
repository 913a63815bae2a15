-- Requests by what people remember of them, newest first: sealed traces, and what has landed but is not sealed yet.
SELECT
    request_id, at, placement, user_id, statuses, n_served, k, total_ms, segments, experiments,
    arrayMap(s -> (s.component, s.version), arrayFilter(s -> s.version != '', stages)) AS versions,
    indexOf(served, {item:String}) AS position
FROM
(
    SELECT $columns FROM $database.traces WHERE $when
    UNION ALL
    SELECT $columns FROM ($unsealed)
)
WHERE at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')} AND $filters
    AND ({rule:String} = '' OR request_id IN
    (
        SELECT request_id FROM $database.violations
        WHERE rule = {rule:String} AND window >= toDateTime({since:DateTime64(3, 'UTC')}, 'UTC') - 10
            AND window < {until:DateTime64(3, 'UTC')}
    ))
ORDER BY at DESC
LIMIT {limit:UInt32}
