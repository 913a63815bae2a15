-- The newest window that is sealed with all that belongs into it; 0: none. Older ones of a backlog do not matter.
SELECT toUnixTimestamp(max(window)) AS newest
FROM $database.visible
WHERE NOT incomplete AND window > (SELECT max(window) FROM $database.sealed) - INTERVAL 1 DAY
