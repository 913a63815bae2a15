-- Answered requests of [since, until), a random but always the same sample, with the lists on which rules act: of each
-- event from scoring to business logic (stage, attempt, truncated, items, scores), in pipeline order.
WITH
    chosen AS
    (
        SELECT window, request_id
        FROM $database.traces
        WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
            AND responded AND served_by != 'fallback' AND n_served > 0
        ORDER BY cityHash64(request_id)
        LIMIT {limit:UInt32}
    )
SELECT
    request_id, at, placement, user_id, k, segments, experiments, context, served,
    arrayMap(
        s -> (s.stage, s.attempt, s.truncated, s.items, s.scores),
        arrayFilter(
            s -> s.has_items AND s.stage IN ('scoring', 'ordering', 'reranking', 'business_logic'), stages
        )
    ) AS lists
FROM $database.traces
WHERE (window, request_id) IN (SELECT window, request_id FROM chosen)
    AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
ORDER BY at DESC
