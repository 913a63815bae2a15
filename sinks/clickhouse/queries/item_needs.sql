-- What an item would need to be served by the model's scores alone: in the newest requests in which a scorer saw it, its
-- score and model rank against the score of the last slot, which is the K-th best of those that were scored. Of the
-- stages, most of a trace, no more is read than this takes.
WITH
    shown AS
    (
        SELECT window, request_id
        FROM $database.traces
        WHERE $when AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
            AND ({placement:String} = '' OR placement = {placement:String})
            AND ({segment:String} = '' OR segments[{segment_name:String}] = {segment_value:String})
            AND arrayExists((stage, items) -> stage = 'scoring' AND has(items, {item:String}), stages.stage, stages.items)
        ORDER BY at DESC
        LIMIT {many:UInt32}
    )
SELECT
    count() AS requests,
    countIf(each.rank <= each.slots) AS enough,
    quantileExact(0.5)(each.score) AS score,
    quantileExact(0.5)(each.rank) AS rank,
    quantileExact(0.5)(each.scored) AS scored,
    quantileExact(0.5)(each.needed) AS needed,
    quantileExact(0.5)(each.slots) AS slots
FROM
(
    SELECT
        k AS slots,
        arrayLast((scored, stage, items) -> stage = 'scoring' AND has(items, {item:String}), scores, kinds, lists) AS all_scores,
        arrayLast((items, stage) -> stage = 'scoring' AND has(items, {item:String}), lists, kinds) AS listed,
        all_scores[indexOf(listed, {item:String})] AS score,
        arrayFilter(one -> isFinite(ifNull(one, nan)), all_scores) AS finite,
        length(finite) AS scored,
        arrayCount(one -> one > score, finite) + 1 AS rank,
        arrayReverseSort(finite)[least(slots, scored)] AS needed
    FROM
    (
        SELECT k, stages.stage AS kinds, stages.items AS lists, stages.scores AS scores
        FROM $database.traces
        WHERE $when AND (window, request_id) IN (SELECT window, request_id FROM shown)
    )
) AS each
WHERE isFinite(ifNull(each.score, nan)) AND each.slots > 0
