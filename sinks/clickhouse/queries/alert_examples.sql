-- A few requests that show what an alert says.
SELECT request_id
FROM $database.traces
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND $shows
    AND ({placement:String} = '' OR placement = {placement:String})
ORDER BY $order, request_id
LIMIT {limit:UInt32}
