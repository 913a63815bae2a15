-- What the user of one request did with it, in order of time.
SELECT ts, kind, item, position, value
FROM $database.interactions FINAL
WHERE request_id = {request_id:String}
ORDER BY ts, kind, item
LIMIT {limit:UInt32}
