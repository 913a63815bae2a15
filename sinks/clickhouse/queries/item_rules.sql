-- Which rules touched an item: those that moved or dropped it in the newest requests with it, and those that found it at
-- fault where it was served, in all of the period.
SELECT rule, action, times, served, example
FROM
(
    SELECT
        move.rule_id::String AS rule, move.action::String AS action, uniqExact(request_id) AS times,
        uniqExactIf(request_id, has(served_items, {item:String})) AS served, max(request_id) AS example
    FROM
    (
        SELECT
            request_id, served AS served_items,
            arrayConcat(
                arrayFilter(a -> a.item = {item:String}, arrayFlatten(stages.adjustments)),
                arrayMap(
                    reason -> (reason, {item:String}, 'drop', NULL, NULL),
                    arrayFlatten(arrayMap(
                        s -> mapKeys(mapFilter((reason, items) -> has(items, {item:String}), s.dropped)),
                        arrayFilter(s -> s.stage = 'business_logic', stages)
                    ))
                )
            )::Array(Tuple(rule_id String, item String, action String, delta Nullable(Float32), position Nullable(UInt32)))
                AS moves
        FROM $database.traces
        WHERE $when AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
            AND ({placement:String} = '' OR placement = {placement:String})
            AND ({segment:String} = '' OR segments[{segment_name:String}] = {segment_value:String})
            AND arrayExists(
                s -> s.stage = 'business_logic'
                    AND (has(s.adjustments.item, {item:String}) OR has(arrayFlatten(mapValues(s.dropped)), {item:String})),
                stages
            )
        ORDER BY at DESC
        LIMIT {many:UInt32}
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
