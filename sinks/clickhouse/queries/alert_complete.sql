-- Windows that are sealed with all that belongs into them.
SELECT toUnixTimestamp(window), run
FROM $database.visible
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND NOT incomplete
ORDER BY window
