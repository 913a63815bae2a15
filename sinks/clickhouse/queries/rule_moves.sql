-- One row a request of $traces (the columns of `traces`, and more): what rules did to its candidates. Ends in the
-- common table expression `moves`.
--
-- Adjustments and served slots are numbered by item, sorted and split, so that what concerns one item lies together. No
-- lambda takes an array of a request along: it would be copied for every element.
--   slate    the served list; empty where a fallback answered, which no rule has arranged
--   moves    (rule, action, candidates, slots, taken, conflict, lost, winner), one a rule, action and item. slots:
--            served ones with the item, if the rule moved it; taken: those of them to be counted as the rule's
WITH
    stated AS
    (
        SELECT
            *,
            if(responded AND served_by != 'fallback', served, [])::Array(String) AS slate,
            -- (rule, item, action, delta, candidates) in the order stated; of what is stated twice the last counts
            arrayConcat(
                arrayMap(a -> (a.rule_id, a.item, a.action, a.delta, 1), arrayFlatten(stages.adjustments)),
                arrayFlatten(arrayMap(
                    (stage, reasons) -> if(stage != 'business_logic', [], arrayFlatten(arrayMap(
                        (rule, items) -> arrayMap(item -> (rule, item, 'drop', NULL, 1), items),
                        mapKeys(reasons), mapValues(reasons)
                    ))),
                    stages.stage, stages.dropped
                ))
            )::Array(Tuple(
                rule LowCardinality(String), item String, action LowCardinality(String), delta Nullable(Float32),
                n UInt64
            )) AS every,
            arrayReverse(every) AS backward,
            arrayReverse(arrayFilter(
                (a, time) -> time = 1,
                backward, arrayEnumerateUniq(backward.rule, backward.item, backward.action)
            )) AS adjusted,
            -- what is counted as excluded beyond the items that are named
            arrayFlatten(arrayMap(
                (stage, reasons, counts) -> if(stage != 'business_logic', [], arrayMap(
                    (rule, n) -> (rule, n - least(n, length(reasons[rule]))), mapKeys(counts), mapValues(counts)
                )),
                stages.stage, stages.dropped, stages.dropped_counts
            ))::Array(Tuple(rule LowCardinality(String), n UInt64)) AS unnamed
        FROM ($traces)
    ),
    -- Slots and adjustments item by item, each slot as an action. shifts: up or down; moved: it changed something.
    split AS
    (
        SELECT
            *,
            arrayEnumerateDense(arrayConcat(slate, adjusted.item)) AS ids,
            arraySort(
                (each, id, at) -> id * 4294967296 + at,
                arrayConcat(
                    arrayMap(item -> ('', 'slot', false, false), slate),
                    arrayMap(
                        a -> (
                            a.rule, a.action,
                            a.action IN ('boost', 'bury'),
                            a.action NOT IN ('boost', 'bury') OR ifNull(a.delta != 0, true)
                        ),
                        adjusted
                    )
                )::Array(Tuple(
                    rule LowCardinality(String), action LowCardinality(String), shifts Bool, moved Bool
                )),
                ids, arrayEnumerate(ids)
            ) AS by_item,
            arraySplit((each, step) -> step != 0, by_item, arrayDifference(arraySort(ids))) AS items
        FROM stated
    ),
    weighed AS
    (
        SELECT
            *,
            arrayMap(each -> countEqual(each.action, 'slot'), items) AS item_slots,
            arrayMap(each -> has(each.action, 'boost') AND has(each.action, 'bury'), items) AS conflicting,
            arrayMap(each -> arrayFirst(a -> a.shifts AND a.moved, each), items) AS winners,
            -- per adjustment the rule that may count the item's slots as its own
            arrayMap(
                each -> arrayMap(
                    a -> if(a.moved AND a.action IN ('boost', 'pin', 'inject'), a.rule, '')::LowCardinality(String),
                    each
                ),
                items
            ) AS takers
        FROM split
    ),
    moves AS
    (
        SELECT
            *,
            arrayConcat(
                arrayFilter(move -> move.1 != '', arrayFlatten(arrayMap(
                    (each, slots, conflicts, winner, taking) -> arrayMap(
                        (a, taker, time) -> (
                            a.rule, a.action,
                            a.moved,
                            if(a.moved, slots, 0),
                            if(taker != '' AND time = 1, slots, 0),
                            conflicts AND a.shifts,
                            conflicts AND a.shifts AND NOT a.moved AND winner.action NOT IN ('', a.action),
                            if(conflicts AND a.shifts AND winner.action != a.action, winner.rule, '')
                        ),
                        each, taking, arrayEnumerateUniq(taking)
                    ),
                    items, item_slots, conflicting, winners, takers
                ))),
                arrayMap(
                    each -> (each.rule, 'drop', each.n, 0, 0, 0, 0, ''),
                    arrayFilter(each -> each.n > 0 AND each.rule != '', unnamed)
                )
            )::Array(Tuple(
                rule LowCardinality(String), action LowCardinality(String), n UInt64, slots UInt64, taken UInt64,
                conflict UInt64, lost UInt64, winner LowCardinality(String)
            )) AS moves
        FROM weighed
    )
