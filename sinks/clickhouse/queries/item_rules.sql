-- Which rules touched an item: those that moved or dropped it in its newest requests with such a rule, and those that
-- found it at fault where it was served, in all of the period. Of the stages no more is read than this takes.
WITH
    shown AS
    (
        SELECT window, request_id
        FROM $database.traces
        WHERE $when AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
            AND ({placement:String} = '' OR placement = {placement:String})
            AND ({segment:String} = '' OR segments[{segment_name:String}] = {segment_value:String})
            AND arrayExists(
                (stage, moved, dropped) -> stage = 'business_logic'
                    AND (has(moved, {item:String}) OR has(arrayFlatten(mapValues(dropped)), {item:String})),
                stages.stage, stages.adjustments.item, stages.dropped
            )
        ORDER BY at DESC
        LIMIT {many:UInt32}
    )
SELECT rule, action, times, served, example
FROM
(
    SELECT
        move.1 AS rule, move.2 AS action, uniqExact(request_id) AS times,
        uniqExactIf(request_id, has(served_items, {item:String})) AS served, max(request_id) AS example
    FROM
    (
        SELECT
            request_id, served AS served_items,
            arrayConcat(
                arrayMap(
                    a -> (a.rule_id::String, a.action::String),
                    arrayFilter(a -> a.item = {item:String}, arrayFlatten(stages.adjustments))
                ),
                arrayMap(
                    reason -> (reason::String, 'drop'),
                    arrayFlatten(arrayMap(
                        (stage, dropped) -> if(
                            stage = 'business_logic',
                            mapKeys(mapFilter((reason, items) -> has(items, {item:String}), dropped)),
                            []
                        ),
                        stages.stage, stages.dropped
                    ))
                )
            ) AS moves
        FROM $database.traces
        WHERE $when AND (window, request_id) IN (SELECT window, request_id FROM shown)
    )
    ARRAY JOIN moves AS move
    GROUP BY rule, action
    UNION ALL
    SELECT
        rule::String, 'at fault', uniqExact(request_id), uniqExact(request_id), max(request_id)
    FROM $database.violations
    WHERE item = {item:String} AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
        AND ({placement:String} = '' OR placement = {placement:String})
    GROUP BY rule
)
ORDER BY times DESC, rule, action
LIMIT 1000
