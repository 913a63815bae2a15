-- Sealed windows after one, oldest first.
SELECT toUnixTimestamp(window), run, incomplete
FROM $database.visible
WHERE window > {after:DateTime('UTC')}
ORDER BY window
LIMIT {limit:UInt32}
