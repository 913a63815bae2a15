-- One row a request: the union of the stage events of its parts in $source, which has the columns of `landing`.
-- Of the events of one identity (stage, component, attempt) the one with the lowest (record time, hash) wins; all
-- request columns come from the lowest request event. Everything is a function of the union alone: how the parts
-- were cut, and how often they landed, changes nothing.
--   $which     max(l.has_request) for traces; 1 to see orphans too
--   $order     the stages (or components) in pipeline order, an array; may depend on `placement`
--   $expected  what a placement's requests are expected to send where the request does not say
--   $keep_ms   a total time above this keeps the trace;  $keep_users  one in so many users is kept whole
--   $retention_all, $retention_kept  seconds
SELECT
    window, request_id, at, requested_at, user_id, placement, k, segments, experiments, context, expects,
    arrayFilter(
        x -> NOT has(present, x),
        if(served_by = 'fallback', [], if(empty(expects), $expected, expects))
    )::Array(LowCardinality(String)) AS missing,
    responded,
    served_by,
    if(responded, ifNull(response.n_out, length(response.items)), 0) AS n_served,
    response.items AS served,
    multiIf(
        NOT responded, NULL,
        response.duration_ms IS NOT NULL, response.duration_ms,
        response.ts >= requested_at, dateDiff('millisecond', requested_at, response.ts),
        NULL
    )::Nullable(Float32) AS total_ms,
    arrayConcat(
        if(responded AND n_served = 0, ['empty'], []),
        if(responded AND n_served < k, ['short'], []),
        if(served_by = 'fallback', ['fallback'], []),
        if(has(stages.status, 'error'), ['error'], []),
        if(has(stages.status, 'timeout'), ['timeout'], []),
        if(responded, [], ['no_response']),
        if(notEmpty(missing), ['incomplete'], []),
        if(conflicts > 0, ['conflict'], []),
        if(total_ms > $keep_ms, ['slow'], [])
    ) AS statuses,
    conflicts,
    multiIf(notEmpty(statuses), statuses[1], cityHash64(user_id) % $keep_users = 0, 'sample', '') AS kept,
    if(kept = 'sample', $keep_users, 1) AS weight,
    -- of a backlog older than that not at once: the run is still being read
    greatest(window + if(kept = '', $retention_all, $retention_kept), now('UTC') + INTERVAL 1 DAY) AS expire_at,
    stages
FROM
(
    SELECT
        window, request_id, conflicts,
        request.1 AS at, request.2 AS requested_at, request.3 AS user_id, request.4 AS placement, request.5 AS k,
        request.6 AS segments, request.7 AS experiments, request.8 AS context, request.9 AS expects,
        arraySort(
            s -> (
                if(indexOf($order, s.component) > 0, indexOf($order, s.component), indexOf($order, s.stage)),
                ifNull(s.seq, 4294967295), s.ts, s.component, s.attempt
            ),
            winners
        ) AS stages,
        arrayConcat(
            stages.stage, stages.component, arrayMap(s -> concat(s.stage, '/', s.component), stages)
        ) AS present,
        -- of several response components the last in pipeline order answers
        arrayLast(s -> s.stage = 'response', stages) AS response,
        response.stage = 'response' AS responded,
        response.served_by AS served_by
    FROM
    (
        SELECT
            l.window AS window,
            l.request_id AS request_id,
            argMin(
                (l.at, l.requested_at, l.user_id, l.placement, l.k, l.segments, l.experiments, l.context, l.expects),
                (NOT l.has_request, l.at, l.request_hash)
            ) AS request,
            arrayFlatten(groupArray(l.stages)) AS every,
            arrayCompact(
                s -> (s.stage, s.component, s.attempt),
                arraySort(s -> (s.stage, s.component, s.attempt, s.record_at, s.hash), every)
            ) AS winners,
            arrayUniq(every.stage, every.component, every.attempt, every.hash) - length(winners) AS conflicts
        FROM $source AS l
        GROUP BY window, request_id
        HAVING $which
    )
)
