-- Requests to look at: those of the period that show what changed, in an order that does not depend on when.
SELECT request_id
FROM $database.traces_runs
WHERE $visible AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
    AND ({placement:String} = '' OR placement = {placement:String}) AND $condition
ORDER BY $order cityHash64(request_id)
LIMIT {limit:UInt32}
