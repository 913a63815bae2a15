-- The requests that are compared: of the bad ones and of the rest a sample by hash of the request id, with what their
-- components did.
        SELECT
            $bad AS bad, request_id, placement::String AS placement, segments, experiments,
            missing::Array(String) AS missing, served_by::String AS served_by,
            stages.stage::Array(String) AS stage, stages.component::Array(String) AS component,
            stages.version::Array(String) AS version, stages.status::Array(String) AS status, stages.duration_ms AS took,
            arrayFlatten(arrayMap(
                (name, reasons, sizes, counts) -> arrayConcat(
                    arrayMap((reason, n) -> (name, reason, greatest(n, counts[reason])), reasons, sizes),
                    arrayMap(
                        reason -> (name, reason, counts[reason]),
                        arrayFilter(reason -> NOT has(reasons, reason), mapKeys(counts))
                    )
                ),
                stages.component, stages.dropped.keys, stages.dropped.values.size2, stages.dropped_counts
            ))::Array(Tuple(String, String, UInt64)) AS drops,
            arrayMap((n, items) -> ifNull(n, items), stages.n_out, stages.items.size1) AS outs
        FROM $database.traces_runs
        WHERE $visible AND ({placement:String} = '' OR placement = {placement:String}) AND $condition
            AND cityHash64(request_id) % if($bad, {bad_in:UInt64}, {rest_in:UInt64}) = 0
