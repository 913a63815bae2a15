-- The newest window that is sealed with all that belongs into it; a day before the newest where there has been none for
-- longer; 0: nothing is sealed. Older ones of a backlog do not matter.
SELECT toUnixTimestamp(max(if(incomplete, day_before, window))) AS newest
FROM $database.visible
CROSS JOIN (SELECT max(window) - INTERVAL 1 DAY AS day_before FROM $database.sealed) AS newest_sealed
WHERE window > day_before
