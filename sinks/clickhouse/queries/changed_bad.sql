-- What each component did in the requests that show the change, and in those of the time to compare with: an event a row
-- with an empty reason, drops by reason beside it. Of requests in sampled windows.
SELECT
    placement, told.1 AS stage, told.2 AS component, told.3 AS reason, window >= {since:DateTime('UTC')} AS is_now,
    sum(told.4) AS events, sum(told.5) AS failed, sum(told.6) AS fallbacks, sum(told.7) AS zero_out,
    sum(told.8) AS n_out, sum(told.9) AS duration, sum(told.10) AS dropped, 0 AS n_in
FROM $database.traces_runs
ARRAY JOIN arrayFlatten(arrayMap(
    (stage, component, status, n, items, ms, dropped, counts) -> arrayConcat(
        [(
            stage, component, '', 1, status IN ('timeout', 'error'), status = 'fallback',
            stage != 'request' AND ifNull(n, length(items)) = 0, ifNull(n, length(items)), ifNull(ms, 0), 0
        )]::Array(Tuple(String, String, String, UInt8, UInt8, UInt8, UInt8, UInt64, Float64, UInt64)),
        arrayMap(
            (reason, items) -> (
                stage, component, reason, 0, 0, 0, 0, 0, 0, if(counts[reason] > 0, counts[reason], length(items))
            ),
            mapKeys(dropped), mapValues(dropped)
        )::Array(Tuple(String, String, String, UInt8, UInt8, UInt8, UInt8, UInt64, Float64, UInt64))
    ),
    stages.stage, stages.component, stages.status, stages.n_out, stages.items, stages.duration_ms, stages.dropped,
    stages.dropped_counts
)) AS told
WHERE $visible AND ({placement:String} = '' OR placement = {placement:String}) AND $condition AND $sampled
    AND ({all_before:Bool} AND window < {since:DateTime('UTC')} OR hasAny(statuses, {statuses:Array(String)}))
GROUP BY placement, stage, component, reason, is_now
ORDER BY placement, stage, component, reason, is_now
