-- The newest requests whose candidates one rule moved or took out, from the last windows in which it did.
SELECT request_id, at, placement, user_id
FROM $database.traces
WHERE window IN
    (
        SELECT DISTINCT window
        FROM $database.rule_pressure
        WHERE rule = {rule:String} AND requests > 0
            AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
        ORDER BY window DESC
        LIMIT 3
    )
    AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    AND arrayExists(s -> has(s.adjustments.rule_id, {rule:String}) OR mapContains(s.dropped, {rule:String}), stages)
ORDER BY at DESC
LIMIT {limit:UInt32}
