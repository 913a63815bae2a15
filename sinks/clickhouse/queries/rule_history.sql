-- What was published of one rule, the newest first.
SELECT record_at, deleted, version, rule, by, note
FROM $database.rules FINAL
WHERE id = {rule:String}
ORDER BY record_at DESC
LIMIT {limit:UInt32}
